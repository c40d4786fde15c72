// Package apiserver runs, for a test, a real API server with etcd and with those controllers of Kubernetes without which no
// namespace ever ends. There are no nodes.
package apiserver

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// Server is an API server that runs for a test.
type Server struct {
	// Config is an administrator's.
	Config *rest.Config
	// Client is an administrator's; it reads from the server itself.
	Client client.WithWatch
	// Kubeconfig is an administrator's, with nothing in it but server, CA and client certificate.
	Kubeconfig []byte
	// Admission is where the server looks for Soma's admission, and with which certificate.
	Admission envtest.WebhookInstallOptions

	environment *envtest.Environment
	folder      string
	programs    []*exec.Cmd
}

// Options say what the server is started with.
type Options struct {
	// Admission makes the server ask Soma's admission about every job; without it jobs are taken as they come.
	Admission bool
	// Aggregation lets the server pass requests on to aggregated API servers; see Aggregate.
	Aggregation bool
	// Gangs has kube-scheduler run, and bind the pods of a PodGroup together; see package kubelet for who binds others.
	Gangs bool
	// Output takes what the other programs of Kubernetes say.
	Output io.Writer
}

// Start starts a server that knows Soma's kinds. Stop it with Stop. It needs the programs in the folder KUBEBUILDER_ASSETS,
// by default those of the development cluster.
func Start(o Options) (*Server, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets = filepath.Join(root, ".soma", "bin")
	}
	if _, err := os.Stat(filepath.Join(assets, "kube-apiserver")); err != nil {
		return nil, fmt.Errorf("etcd, kube-apiserver and kube-controller-manager are needed: run `make up`, or set KUBEBUILDER_ASSETS to their folder: %w", err)
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	s := &Server{environment: &envtest.Environment{
		Scheme:                scheme,
		BinaryAssetsDirectory: assets,
		CRDDirectoryPaths:     []string{filepath.Join(root, "config", "crd")},
		ErrorIfCRDPathMissing: true,
	}}
	if o.Admission {
		webhooks := filepath.Join(root, "config", "webhook")
		s.environment.WebhookInstallOptions.Paths = []string{filepath.Join(webhooks, "mutating_webhook.yaml"), filepath.Join(webhooks, "validating_webhook.yaml")}
	}
	if o.Aggregation {
		if err := s.aggregate(); err != nil {
			return nil, errors.Join(err, os.RemoveAll(s.folder))
		}
	}
	if o.Gangs {
		s.servePodGroups()
	}
	if s.Config, err = s.environment.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the API server: %w", err), s.Stop())
	}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	if err := s.startOthers(assets, o); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) prepare() error {
	s.Admission = s.environment.WebhookInstallOptions
	admin, err := s.environment.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return fmt.Errorf("make a user: %w", err)
	}
	if s.Kubeconfig, err = admin.KubeConfig(); err != nil {
		return fmt.Errorf("make a kubeconfig: %w", err)
	}
	if s.Client, err = client.NewWithWatch(s.Config, client.Options{Scheme: s.environment.Scheme}); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	return nil
}

// startOthers starts the programs beside the API server.
func (s *Server) startOthers(assets string, o Options) error {
	if err := s.makeFolder(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.folder, "kubeconfig"), s.Kubeconfig, 0o600); err != nil {
		return err
	}
	controllers, gates := "namespace-controller,serviceaccount-controller,garbage-collector-controller", []string(nil)
	if o.Gangs {
		controllers, gates = controllers+",podgroup-protection-controller", []string{"--feature-gates=" + gangGate}
	}
	err := s.run(filepath.Join(assets, "kube-controller-manager"), o.Output,
		append(gates, "--controllers="+controllers, "--concurrent-gc-syncs=2")...)
	if err == nil && o.Gangs {
		err = s.run(filepath.Join(assets, "kube-scheduler"), o.Output, gates...)
	}
	return err
}

func (s *Server) run(program string, output io.Writer, arguments ...string) error {
	command := exec.Command(program, append(arguments, "--kubeconfig="+filepath.Join(s.folder, "kubeconfig"), "--leader-elect=false",
		"--secure-port=0", "--kube-api-qps=200", "--kube-api-burst=400")...)
	command.Stdout, command.Stderr = output, output
	// It ends with the test, also where the test is killed.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	s.programs = append(s.programs, command)
	return nil
}

// gangGate is the feature of Kubernetes by which kube-scheduler binds gangs, which is off by default (KEP-4671, beta in 1.37).
const gangGate = "GenericWorkload=true"

// servePodGroups has the server serve the kind by which kube-scheduler is told of gangs.
func (s *Server) servePodGroups() {
	s.environment.ControlPlane.GetAPIServer().Configure().
		Set("feature-gates", gangGate).Set("runtime-config", "scheduling.k8s.io/v1beta1=true")
}

// makeFolder makes the folder of what the server is started with, once.
func (s *Server) makeFolder() (err error) {
	if s.folder == "" {
		if s.folder, err = os.MkdirTemp("", "soma-apiserver-"); err != nil {
			return fmt.Errorf("make a folder for what the API server needs: %w", err)
		}
	}
	return nil
}

// Stop ends what Start started.
func (s *Server) Stop() error {
	var all []error
	for _, program := range s.programs {
		all = append(all, program.Process.Signal(syscall.SIGTERM))
		// It was told to end; with which code it does is its own affair.
		_ = program.Wait()
	}
	all = append(all, s.environment.Stop())
	if s.folder != "" {
		all = append(all, os.RemoveAll(s.folder))
	}
	return errors.Join(all...)
}

// Scheme knows the kinds of Kubernetes and of Soma.
func (s *Server) Scheme() *runtime.Scheme { return s.environment.Scheme }

// repository is the folder of this repository: the nearest one above with a go.mod.
func repository() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder, nil
		}
		if folder == filepath.Dir(folder) {
			return "", errors.New("the test does not run within the repository: there is no go.mod above it")
		}
	}
}
