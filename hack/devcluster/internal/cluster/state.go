package cluster

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"

	"github.com/soma-platform/soma/hack/devcluster/internal/ports"
)

// state is what a cluster remembers from its first start on.
type state struct {
	// Rooted tells whether it was first brought up by root: with a real node in a network of its own.
	Rooted bool `json:"rooted"`
	// Nodes is how many nodes are simulated.
	Nodes int `json:"nodes"`
	// Ports are on 127.0.0.1, of the machine and of the cluster's network namespace alike.
	Ports portSet `json:"ports"`
	// The passwords of PostgreSQL's superuser, of its user soma, and of Redis.
	PostgresPassword string `json:"postgresPassword"`
	SomaPassword     string `json:"somaPassword"`
	RedisPassword    string `json:"redisPassword"`
	// GatewaySecret is by what the identity provider knows Soma's gateway.
	GatewaySecret string `json:"gatewaySecret"`
}

type portSet struct {
	APIServer         int `json:"apiServer"`
	Etcd              int `json:"etcd"`
	EtcdPeer          int `json:"etcdPeer"`
	ControllerManager int `json:"controllerManager"`
	Scheduler         int `json:"scheduler"`
	Kwok              int `json:"kwok"`
	Postgres          int `json:"postgres"`
	Redis             int `json:"redis"`
	// Where Soma runs as processes of this machine: its admission, its history's server, and the manager's probes.
	Webhook int `json:"webhook"`
	History int `json:"history"`
	Probes  int `json:"probes"`
	// Gateway is where Soma's gateway is found, and Dex the identity provider at which people sign in.
	Gateway int `json:"gateway"`
	Dex     int `json:"dex"`
	// Pages is where the pages of jobs are found, and PagesHTTP where whoever forgets the s is sent there.
	Pages     int `json:"pages"`
	PagesHTTP int `json:"pagesHTTP"`
}

func (p *portSet) all() []*int {
	return []*int{
		&p.APIServer, &p.Etcd, &p.EtcdPeer, &p.ControllerManager, &p.Scheduler, &p.Kwok, &p.Postgres, &p.Redis,
		&p.Webhook, &p.History, &p.Probes, &p.Gateway, &p.Dex, &p.Pages, &p.PagesHTTP,
	}
}

// loadState reads the state of a cluster, or begins one. While nothing of the cluster runs, ports that something else
// uses by now are chosen anew. nodes is how many shall be simulated from now on, or AsBefore.
func loadState(layout Layout, rooted, running bool, nodes int) (state, error) {
	s := state{Rooted: rooted, Nodes: defaultNodes, PostgresPassword: rand.Text(), SomaPassword: rand.Text(), RedisPassword: rand.Text()}
	path := layout.path("run", "state")
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return s, err
	default:
		if err := json.Unmarshal(data, &s); err != nil {
			return s, fmt.Errorf("%s is damaged: %w; `make down` and remove %s", path, err, layout.Dir)
		}
	}
	if s.GatewaySecret == "" {
		s.GatewaySecret = rand.Text()
	}
	if s.Rooted != rooted {
		return s, fmt.Errorf("the cluster in %s was first brought up %s root: do the same now, or remove the folder", layout.Dir, map[bool]string{true: "as", false: "without"}[s.Rooted])
	}
	if nodes != AsBefore {
		s.Nodes = nodes
	}
	if !running {
		err = s.Ports.choose(layout, s.Ports.all())
	} else {
		// Those that there were not yet when the cluster was started.
		err = s.Ports.choose(layout, []*int{&s.Ports.Gateway, &s.Ports.Dex, &s.Ports.Pages, &s.Ports.PagesHTTP})
	}
	if err != nil {
		return s, err
	}
	if data, err = json.MarshalIndent(s, "", "  "); err != nil {
		return s, err
	}
	return s, writeFile(path, string(data), 0o600)
}

// choose chooses ports: of a cluster that runs those that have none, of another also those that something else uses.
func (p *portSet) choose(layout Layout, which []*int) error {
	all := len(which) == len(p.all())
	taken := map[int]bool{}
	for _, port := range p.all() {
		taken[*port] = true
	}
	wanted := make([]int, 0, len(which))
	for _, port := range which {
		if all && *port != 0 && !ports.Free(*port) {
			*port = 0
		}
		wanted = append(wanted, *port)
	}
	seed := fnv.New32a()
	_, _ = seed.Write([]byte(layout.Dir))
	chosen, err := ports.Choose(wanted, seed.Sum32(), func(port int) bool { return !taken[port] && ports.Free(port) })
	if err != nil {
		return err
	}
	for i, port := range which {
		*port = chosen[i]
	}
	return nil
}
