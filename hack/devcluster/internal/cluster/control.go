package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/hack/devcluster/internal/netns"
	"github.com/soma-platform/soma/hack/devcluster/internal/pki"
	"github.com/soma-platform/soma/hack/devcluster/internal/process"
)

// credentials are the files by which the parts of the control plane know each other.
type credentials struct {
	ca, frontProxyCA                            *pki.Authority
	serviceAccounts                             pki.Pair
	etcd, apiServer, kubeletClient, frontClient pki.Pair
	kubeletServer, dex, pages, postgres, redis  pki.Pair
	// kubeconfigs, by the name of the part.
	kubeconfigs map[string]string
}

// makeCredentials makes what is missing of the keys, certificates and kubeconfigs.
func (c *Cluster) makeCredentials() (credentials, error) {
	var (
		creds credentials
		err   error
	)
	if creds.ca, err = pki.OpenAuthority(c.pki(), "ca"); err != nil {
		return creds, err
	}
	if creds.frontProxyCA, err = pki.OpenAuthority(c.pki(), "front-proxy-ca"); err != nil {
		return creds, err
	}
	if creds.serviceAccounts, err = pki.SigningKey(c.pki(), "sa"); err != nil {
		return creds, err
	}
	local := net.ParseIP("127.0.0.1")
	node := net.ParseIP(nodeAddress)
	for _, wanted := range []struct {
		into *pki.Pair
		by   *pki.Authority
		leaf pki.Leaf
	}{
		{&creds.etcd, creds.ca, pki.Leaf{Name: "etcd", CommonName: "etcd", Names: []string{"localhost"}, IPs: []net.IP{local}}},
		{&creds.apiServer, creds.ca, pki.Leaf{
			Name: "apiserver", CommonName: "kube-apiserver",
			Names: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
			IPs:   []net.IP{local, node, net.ParseIP(serviceAddress)},
		}},
		{&creds.kubeletClient, creds.ca, pki.Leaf{Name: "apiserver-kubelet-client", CommonName: "kube-apiserver-kubelet-client", Organization: "system:masters"}},
		{&creds.frontClient, creds.frontProxyCA, pki.Leaf{Name: "front-proxy-client", CommonName: "front-proxy-client"}},
		{&creds.dex, creds.ca, pki.Leaf{Name: "dex", CommonName: "dex", Names: []string{"localhost"}, IPs: []net.IP{local}}},
		// Reached by programs of this machine and by pods.
		{&creds.postgres, creds.ca, pki.Leaf{Name: "postgres", CommonName: "postgres", Names: []string{"localhost"}, IPs: []net.IP{local, node}}},
		{&creds.redis, creds.ca, pki.Leaf{Name: "redis", CommonName: "redis", Names: []string{"localhost"}, IPs: []net.IP{local, node}}},
		// Traefik's, for the hosts of jobs' pages.
		{&creds.pages, creds.ca, pki.Leaf{Name: "pages", CommonName: "pages", Names: []string{"*." + pagesHost}}},
		{&creds.kubeletServer, creds.ca, pki.Leaf{Name: "kubelet-server", CommonName: "system:node:" + nodeName, Names: []string{nodeName}, IPs: []net.IP{node, local}}},
	} {
		if *wanted.into, err = wanted.by.Issue(wanted.leaf); err != nil {
			return creds, err
		}
	}
	creds.kubeconfigs = map[string]string{}
	for _, user := range []pki.Leaf{
		{Name: "admin", CommonName: "soma-dev-admin", Organization: "system:masters"},
		{Name: "kube-controller-manager", CommonName: "system:kube-controller-manager"},
		{Name: "kube-scheduler", CommonName: "system:kube-scheduler"},
		{Name: "kube-proxy", CommonName: "system:kube-proxy"},
		{Name: "kubelet", CommonName: "system:node:" + nodeName, Organization: "system:nodes"},
		{Name: "kwok", CommonName: "kwok", Organization: "system:masters"},
		{Name: "dns", CommonName: "soma-dev-dns", Organization: "system:masters"},
	} {
		files, err := creds.ca.Issue(user)
		if err != nil {
			return creds, err
		}
		path := c.conf(user.Name + ".kubeconfig")
		if user.Name == "admin" {
			path = c.kubeconfig()
		}
		if err := c.writeKubeconfig(path, creds.ca.Cert, files); err != nil {
			return creds, err
		}
		creds.kubeconfigs[user.Name] = path
	}
	return creds, nil
}

func (c *Cluster) startEtcd(ctx context.Context, creds credentials) error {
	url := "https://" + loopback(c.Ports.Etcd)
	peer := "http://" + loopback(c.Ports.EtcdPeer)
	return c.start(ctx, process.Spec{
		Name: "etcd", Path: c.bin("etcd"),
		Args: flags(
			"name", "soma",
			"data-dir", c.data(c.Rooted, "etcd"),
			"listen-client-urls", url, "advertise-client-urls", url,
			"listen-peer-urls", peer, "initial-advertise-peer-urls", peer, "initial-cluster", "soma="+peer,
			"cert-file", creds.etcd.Cert, "key-file", creds.etcd.Key,
			"client-cert-auth", "true", "trusted-ca-file", creds.ca.Cert,
			"quota-backend-bytes", strconv.Itoa(4<<30),
			"auto-compaction-mode", "periodic", "auto-compaction-retention", "10m",
			"log-level", "warn",
		),
	}, func(ctx context.Context) error { return c.reachable(ctx, loopback(c.Ports.Etcd)) })
}

func (c *Cluster) startAPIServer(ctx context.Context, creds credentials) error {
	// Without root nothing finds the API server by its Service, and a loopback address may not stand behind one; it finds
	// aggregated APIs by the names of services, as there are no pods that serve.
	bind, advertise, reconciler, routing := "127.0.0.1", "127.0.0.1", "none", "false"
	if c.Rooted {
		// Every address of the cluster's own network: its loopback and its bridge.
		bind, advertise, reconciler, routing = "0.0.0.0", nodeAddress, "lease", "true"
	}
	return c.start(ctx, process.Spec{
		Name: "kube-apiserver", Path: c.bin("kube-apiserver"),
		Args: flags(
			"bind-address", bind, "advertise-address", advertise, "secure-port", strconv.Itoa(c.Ports.APIServer),
			"endpoint-reconciler-type", reconciler,
			"etcd-servers", "https://"+loopback(c.Ports.Etcd),
			"etcd-cafile", creds.ca.Cert, "etcd-certfile", creds.etcd.Cert, "etcd-keyfile", creds.etcd.Key,
			"service-cluster-ip-range", serviceCIDR,
			"tls-cert-file", creds.apiServer.Cert, "tls-private-key-file", creds.apiServer.Key,
			"client-ca-file", creds.ca.Cert,
			"authorization-mode", "Node,RBAC",
			"enable-admission-plugins", "NodeRestriction",
			"allow-privileged", "true",
			"service-account-issuer", "https://kubernetes.default.svc.cluster.local",
			"service-account-key-file", creds.serviceAccounts.Cert,
			"service-account-signing-key-file", creds.serviceAccounts.Key,
			"requestheader-client-ca-file", creds.frontProxyCA.Cert,
			"requestheader-allowed-names", "front-proxy-client",
			"requestheader-username-headers", "X-Remote-User",
			"requestheader-group-headers", "X-Remote-Group",
			"requestheader-extra-headers-prefix", "X-Remote-Extra-",
			"proxy-client-cert-file", creds.frontClient.Cert, "proxy-client-key-file", creds.frontClient.Key,
			"enable-aggregator-routing", routing,
			"kubelet-client-certificate", creds.kubeletClient.Cert, "kubelet-client-key", creds.kubeletClient.Key,
			"kubelet-certificate-authority", creds.ca.Cert,
			"kubelet-preferred-address-types", "InternalIP",
			"profiling", "false",
		),
	}, func(ctx context.Context) error {
		return c.healthy(ctx, creds.ca.Cert, "https://"+loopback(c.Ports.APIServer)+"/readyz")
	})
}

func (c *Cluster) startControllerManager(ctx context.Context, creds credentials) error {
	kubeconfig := creds.kubeconfigs["kube-controller-manager"]
	return c.start(ctx, process.Spec{
		Name: "kube-controller-manager", Path: c.bin("kube-controller-manager"),
		Args: flags(
			"kubeconfig", kubeconfig, "authentication-kubeconfig", kubeconfig, "authorization-kubeconfig", kubeconfig,
			"bind-address", "127.0.0.1", "secure-port", strconv.Itoa(c.Ports.ControllerManager),
			"tls-cert-file", creds.etcd.Cert, "tls-private-key-file", creds.etcd.Key,
			"root-ca-file", creds.ca.Cert,
			"cluster-signing-cert-file", creds.ca.Cert, "cluster-signing-key-file", creds.ca.Key,
			"service-account-private-key-file", creds.serviceAccounts.Key,
			"use-service-account-credentials", "true",
			// There is one of it: nobody to elect, and no writes for it.
			"leader-elect", "false",
			"allocate-node-cidrs", "false",
			// The defaults (20 requests a second) bound a benchmark rather than protect this API server.
			"kube-api-qps", "500", "kube-api-burst", "1000",
		),
	}, func(ctx context.Context) error {
		if err := c.healthy(ctx, creds.ca.Cert, "https://"+loopback(c.Ports.ControllerManager)+"/healthz"); err != nil {
			return err
		}
		// A pod that is made before it is refused.
		client, err := c.client()
		if err != nil {
			return err
		}
		_, err = client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

func (c *Cluster) startScheduler(ctx context.Context, creds credentials) error {
	kubeconfig := creds.kubeconfigs["kube-scheduler"]
	return c.start(ctx, process.Spec{
		Name: "kube-scheduler", Path: c.bin("kube-scheduler"),
		Args: flags(
			"kubeconfig", kubeconfig, "authentication-kubeconfig", kubeconfig, "authorization-kubeconfig", kubeconfig,
			"bind-address", "127.0.0.1", "secure-port", strconv.Itoa(c.Ports.Scheduler),
			"tls-cert-file", creds.etcd.Cert, "tls-private-key-file", creds.etcd.Key,
			"leader-elect", "false",
			"kube-api-qps", "500", "kube-api-burst", "1000",
		),
	}, func(ctx context.Context) error {
		return c.healthy(ctx, creds.ca.Cert, "https://"+loopback(c.Ports.Scheduler)+"/healthz")
	})
}

// healthy asks a part of the cluster, from within its network, whether it is well.
func (c *Cluster) healthy(ctx context.Context, caFile, url string) error {
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return netns.Dial(ctx, c.namespace(), address)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, logTail))
		return fmt.Errorf("%s answers %s: %s", url, response.Status, body)
	}
	return nil
}
