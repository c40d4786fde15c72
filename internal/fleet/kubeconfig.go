// Package fleet reaches clusters: by the manager's own identity from within, or by a kubeconfig of which only the
// address, the CA and a token or client certificate are taken.
package fleet

import (
	"errors"
	"fmt"
	"net/url"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// MaxKubeconfig is the size in bytes above which a kubeconfig is refused.
const MaxKubeconfig = 256 << 10

// FromKubeconfig turns a kubeconfig into a configuration. Whoever can write the secret of a cluster must not thereby run
// programs in the manager, read its files, or send its requests through a proxy, so of the current context only these are
// taken: server, certificate-authority-data, tls-server-name, and token or client-certificate-data with client-key-data.
// Anything else that would change how the cluster is reached is an error that names it.
func FromKubeconfig(data []byte) (*rest.Config, error) {
	if len(data) == 0 {
		return nil, errors.New("the kubeconfig is empty")
	}
	if len(data) > MaxKubeconfig {
		return nil, fmt.Errorf("the kubeconfig has %d bytes, more than %d", len(data), MaxKubeconfig)
	}
	config, err := clientcmd.Load(data)
	if err != nil {
		// What the parser says may quote the document, and so a secret.
		return nil, errors.New("the kubeconfig is not valid YAML of kind Config")
	}
	if config.CurrentContext == "" {
		return nil, errors.New("the kubeconfig has no current-context")
	}
	current := config.Contexts[config.CurrentContext]
	if current == nil {
		return nil, fmt.Errorf("the kubeconfig has no context %q, its current-context", config.CurrentContext)
	}
	cluster, user := config.Clusters[current.Cluster], config.AuthInfos[current.AuthInfo]
	if cluster == nil {
		return nil, fmt.Errorf("the kubeconfig has no cluster %q, that of its current context", current.Cluster)
	}
	if user == nil {
		return nil, fmt.Errorf("the kubeconfig has no user %q, that of its current context", current.AuthInfo)
	}
	if err := errors.Join(refuseCluster(cluster), refuseUser(user)); err != nil {
		return nil, err
	}
	return &rest.Config{
		Host:        cluster.Server,
		BearerToken: user.Token,
		TLSClientConfig: rest.TLSClientConfig{
			ServerName: cluster.TLSServerName,
			CAData:     cluster.CertificateAuthorityData,
			CertData:   user.ClientCertificateData,
			KeyData:    user.ClientKeyData,
		},
	}, nil
}

func refuseCluster(cluster *clientcmdapi.Cluster) error {
	server, err := url.Parse(cluster.Server)
	switch {
	case err != nil, server.Scheme != "https", server.Host == "", server.User != nil:
		return errors.New("the cluster's server must be an https:// address without credentials")
	case cluster.InsecureSkipTLSVerify:
		return errors.New("insecure-skip-tls-verify is refused: give certificate-authority-data")
	case cluster.CertificateAuthority != "":
		return errors.New("certificate-authority is a path and is refused: give certificate-authority-data")
	case cluster.ProxyURL != "":
		return errors.New("proxy-url is refused")
	default:
		return nil
	}
}

func refuseUser(user *clientcmdapi.AuthInfo) error {
	certificate, key := len(user.ClientCertificateData) > 0, len(user.ClientKeyData) > 0
	switch {
	case user.Exec != nil:
		return errors.New("exec is refused: it would run a program in the manager; give a token or client-certificate-data")
	case user.AuthProvider != nil:
		return errors.New("auth-provider is refused: give a token or client-certificate-data")
	case user.TokenFile != "":
		return errors.New("tokenFile is a path and is refused: give token")
	case user.ClientCertificate != "" || user.ClientKey != "":
		return errors.New("client-certificate and client-key are paths and are refused: give client-certificate-data and client-key-data")
	case user.Username != "" || user.Password != "":
		return errors.New("username and password are refused: give a token or client-certificate-data")
	case user.Impersonate != "" || user.ImpersonateUID != "" || len(user.ImpersonateGroups) > 0 || len(user.ImpersonateUserExtra) > 0:
		return errors.New("impersonation (as, as-groups, …) is refused")
	case certificate != key:
		return errors.New("client-certificate-data and client-key-data are given together")
	case user.Token == "" && !certificate:
		return errors.New("the user has neither token nor client-certificate-data")
	case user.Token != "" && certificate:
		return errors.New("the user has a token and a client certificate: give one of them")
	default:
		return nil
	}
}
