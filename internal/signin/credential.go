package signin

import (
	"encoding/json"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// WriteCredential writes tokens as kubectl asks a program for them.
func WriteCredential(out io.Writer, tokens *Tokens) error {
	// kubectl asks again a little before the token ends.
	expires := metav1.NewTime(tokens.Expires.Add(-renewBefore / 2))
	text, err := json.Marshal(&clientauthentication.ExecCredential{
		TypeMeta: metav1.TypeMeta{APIVersion: clientauthentication.SchemeGroupVersion.String(), Kind: "ExecCredential"},
		Status:   &clientauthentication.ExecCredentialStatus{Token: tokens.ID, ExpirationTimestamp: &expires},
	})
	if err != nil {
		return fmt.Errorf("write the credential: %w", err)
	}
	_, err = out.Write(append(text, '\n'))
	return err
}

// Entry puts into a kubeconfig, under a name, the API of Kubernetes behind a gateway, for whoever is signed in there: kubectl
// asks the program, with the arguments, for a token. The namespace that was chosen before is kept.
func Entry(config *clientcmdapi.Config, name string, d *Discovery, program string, args []string) {
	config.Clusters[name] = &clientcmdapi.Cluster{Server: d.Kubernetes, CertificateAuthorityData: []byte(d.CA)}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		APIVersion: clientauthentication.SchemeGroupVersion.String(), Command: program, Args: args,
		InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
		InstallHint:     "soma, the command line of Soma, signs in; install it or use another context.",
	}}
	current := &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	if before := config.Contexts[name]; before != nil {
		current.Namespace = before.Namespace
	}
	config.Contexts[name] = current
}
