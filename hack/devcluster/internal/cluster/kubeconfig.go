package cluster

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/soma-platform/soma/hack/devcluster/internal/pki"
)

// podDatabaseCA is where Soma's pods find whom to trust for PostgreSQL: ca.crt of the secret soma-database.
const podDatabaseCA = "/etc/soma/database/ca.crt"

// contextName is the current context of the cluster's kubeconfig.
const contextName = "soma-dev"

// writeKubeconfig writes a kubeconfig that holds its certificates in itself, so that it may be copied elsewhere. The
// namespace that a person chose in it is kept.
func (c *Cluster) writeKubeconfig(path, caFile string, files pki.Pair) error {
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return err
	}
	cert, err := os.ReadFile(files.Cert)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(files.Key)
	if err != nil {
		return err
	}
	namespace := ""
	if old, err := clientcmd.LoadFromFile(path); err == nil && old.Contexts[contextName] != nil {
		namespace = old.Contexts[contextName].Namespace
	}
	text, err := clientcmd.Write(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{contextName: {
			Server: "https://" + loopback(c.Ports.APIServer), CertificateAuthorityData: ca,
		}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{contextName: {ClientCertificateData: cert, ClientKeyData: key}},
		Contexts:       map[string]*clientcmdapi.Context{contextName: {Cluster: contextName, AuthInfo: contextName, Namespace: namespace}},
		CurrentContext: contextName,
	})
	if err != nil {
		return err
	}
	return writeFile(path, string(text), 0o600)
}

// client speaks to the API server as its administrator.
func (c *Cluster) client() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", c.kubeconfig(), err)
	}
	config.QPS, config.Burst = 500, 1000
	return kubernetes.NewForConfig(config)
}

// writeEnv writes the variables by which programs and people find the cluster, for a shell to read.
func (c *Cluster) writeEnv() error {
	variables := [][2]string{
		{"KUBECONFIG", c.kubeconfig()},
		{"SOMA_DATABASE_URL", c.databaseURL("127.0.0.1", c.authority())},
		{"SOMA_REDIS_URL", c.redisURL("127.0.0.1")},
		{"SOMA_REDIS_CA_FILE", c.authority()},
		{"KUBEBUILDER_ASSETS", c.path("bin")},
		// By whom the identity provider's certificate is signed, and Soma's.
		{"SOMA_CA_FILE", c.caFile()},
		{"SOMA_GATEWAY_URL", c.gatewayURL()},
		{"SOMA_GATEWAY_PORT", strconv.Itoa(c.Ports.Gateway)},
		{"SOMA_GATEWAY_SECRET", c.GatewaySecret},
		{"SOMA_ISSUER_URL", c.issuerURL()},
	}
	if c.Rooted {
		// How pods of the cluster reach PostgreSQL and Redis.
		variables = append(variables,
			[2]string{"SOMA_CLUSTER_DATABASE_URL", c.databaseURL(nodeAddress, podDatabaseCA)},
			[2]string{"SOMA_CLUSTER_REDIS_URL", c.redisURL(nodeAddress)},
			// Where pods find what is on this machine's loopback, and where the forwarder looks for the gateway's service.
			[2]string{"SOMA_NODE_ADDRESS", nodeAddress},
			[2]string{"SOMA_GATEWAY_ADDRESS", gatewayAddress},
			// The same of Traefik's, and below which domain the pages of jobs are.
			[2]string{"SOMA_PAGES_ADDRESS", pagesAddress},
			[2]string{"SOMA_PAGES_DOMAIN", c.pagesDomain()},
			[2]string{"SOMA_PAGES_HTTP_PORT", strconv.Itoa(c.Ports.PagesHTTP)},
		)
	} else {
		// Where hack/deploy/dev-without-node lets Soma's own processes listen.
		variables = append(variables,
			[2]string{"SOMA_WEBHOOK_PORT", strconv.Itoa(c.Ports.Webhook)},
			[2]string{"SOMA_HISTORY_PORT", strconv.Itoa(c.Ports.History)},
			[2]string{"SOMA_PROBES_PORT", strconv.Itoa(c.Ports.Probes)},
		)
	}
	var text strings.Builder
	for _, variable := range variables {
		fmt.Fprintf(&text, "export %s=%s\n", variable[0], quote(variable[1]))
	}
	fmt.Fprintf(&text, "export PATH=%s:%s:\"$PATH\"\n", quote(c.Root+"/bin"), quote(c.path("bin")))
	return os.WriteFile(c.env(), []byte(text.String()), 0o600)
}

// quote makes a word that a shell takes as it is.
func quote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
