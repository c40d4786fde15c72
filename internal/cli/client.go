package cli

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// The resources that the command line reads and writes. They are fixed, so that no command has to discover them.
var (
	jobs       = v1alpha1.GroupVersion.WithResource("jobs")
	projects   = v1alpha1.GroupVersion.WithResource("projects")
	clusters   = v1alpha1.GroupVersion.WithResource("clusters")
	quotas     = v1alpha1.GroupVersion.WithResource("quotas")
	users      = v1alpha1.GroupVersion.WithResource("users")
	roles      = v1alpha1.GroupVersion.WithResource("roles")
	grants     = v1alpha1.GroupVersion.WithResource("grants")
	secrets    = corev1.SchemeGroupVersion.WithResource("secrets")
	pods       = corev1.SchemeGroupVersion.WithResource("pods")
	jobRecords = schema.GroupVersionResource{Group: "history.soma.dev", Version: "v1alpha1", Resource: "jobrecords"}
	selfReview = schema.GroupVersionResource{Group: "authentication.k8s.io", Version: "v1", Resource: "selfsubjectreviews"}
)

// pageSize is the number of objects asked for in one list request.
const pageSize = 500

// kubeFlags say which cluster, project and identity are used.
type kubeFlags struct {
	kubeconfig, context, project, as string
	asGroups                         []string
	timeout                          time.Duration
	verbose                          int
}

// toldRequests is how verbose `--verbose` without a number is: each request and how it was answered are told.
const toldRequests = "6"

func (k *kubeFlags) addTo(flags *pflag.FlagSet) {
	flags.StringVar(&k.kubeconfig, "kubeconfig", "", "path of the kubeconfig (default: $KUBECONFIG, then ~/.kube/config)")
	flags.StringVar(&k.context, "context", "", "context of the kubeconfig")
	flags.StringVarP(&k.project, "project", "P", "", "project (default: the namespace of the context)")
	flags.StringVar(&k.as, "as", "", "user to act as")
	flags.StringArrayVar(&k.asGroups, "as-group", nil, "group to act as; may be repeated")
	flags.IntVar(&k.verbose, "verbose", 0, "tell the requests on standard error, as kubectl's -v: 6 says what is asked, 8 also what is sent and answered")
	flags.Lookup("verbose").NoOptDefVal = toldRequests
	flags.DurationVar(&k.timeout, "request-timeout", 30*time.Second, "time after which a single request is given up")
}

// tell lets the libraries tell what they do, where that is wanted.
func (k *kubeFlags) tell() error {
	if k.verbose <= 0 {
		return nil
	}
	var flags flag.FlagSet
	klog.InitFlags(&flags)
	klog.LogToStderr(true)
	return flags.Set("v", strconv.Itoa(k.verbose))
}

func (k *kubeFlags) load() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = k.kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: k.context}
	overrides.Context.Namespace = k.project
	overrides.AuthInfo.Impersonate = k.as
	overrides.AuthInfo.ImpersonateGroups = k.asGroups
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
}

// clients reach the API server.
type clients struct {
	config  *rest.Config
	dynamic dynamic.Interface
	core    rest.Interface
	params  k8sruntime.ParameterCodec
	project string
}

// connect reads the kubeconfig and makes the clients, once. No request is sent.
func (a *app) connect() (*clients, error) {
	if a.clients != nil {
		return a.clients, nil
	}
	loader := a.kube.load()
	config, err := loader.ClientConfig()
	if err != nil {
		if clientcmd.IsEmptyConfig(err) {
			return nil, fmt.Errorf("no cluster is configured\nset KUBECONFIG or give --kubeconfig")
		}
		return nil, badKubeconfig(err)
	}
	project, _, err := loader.Namespace()
	if err != nil {
		return nil, badKubeconfig(err)
	}
	config.UserAgent = fmt.Sprintf("soma/%s (%s/%s)", clientVersion(), runtime.GOOS, runtime.GOARCH)
	config.QPS, config.Burst = 50, 100
	config.WarningHandler = rest.NewWarningWriter(a.err, rest.WarningWriterOptions{Deduplicate: true})

	scheme := k8sruntime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, badKubeconfig(err)
	}
	coreConfig := rest.CopyConfig(config)
	coreConfig.APIPath, coreConfig.GroupVersion = "/api", &corev1.SchemeGroupVersion
	coreConfig.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	core, err := rest.RESTClientForConfigAndClient(coreConfig, transport)
	if err != nil {
		return nil, err
	}
	dyn, err := dynamic.NewForConfigAndClient(config, transport)
	if err != nil {
		return nil, err
	}
	a.clients = &clients{config: config, dynamic: dyn, core: core, params: k8sruntime.NewParameterCodec(scheme), project: project}
	return a.clients, nil
}

// badKubeconfig says what to do where the kubeconfig leads nowhere.
func badKubeconfig(err error) error {
	return fmt.Errorf("the kubeconfig cannot be used: %w\nmend it, or name another by KUBECONFIG, --kubeconfig or --context", err)
}

// request bounds a single request in time.
func (a *app) request(ctx context.Context) (context.Context, context.CancelFunc) {
	if a.kube.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, a.kube.timeout)
}

// get reads one object; namespace is "" for kinds that have none.
func (a *app) get(ctx context.Context, gvr schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error) {
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	ctx, cancel := a.request(ctx)
	defer cancel()
	object, err := c.dynamic.Resource(gvr).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, a.explainError(ctx, err, gvr, namespace, name)
	}
	return object, nil
}

// list reads the objects that options select, page after page; most is the number after which it stops, 0 for all.
func (a *app) list(ctx context.Context, gvr schema.GroupVersionResource, namespace string, options metav1.ListOptions, most int) (*unstructured.UnstructuredList, error) {
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	all := &unstructured.UnstructuredList{}
	for {
		options.Limit = pageSize
		if most > 0 {
			options.Limit = int64(min(pageSize, most-len(all.Items)))
		}
		page, err := a.listPage(ctx, c.dynamic.Resource(gvr).Namespace(namespace), options)
		if err != nil {
			return nil, a.explainError(ctx, err, gvr, namespace, "")
		}
		all.Object = page.Object
		all.Items = append(all.Items, page.Items...)
		options.Continue = page.GetContinue()
		if options.Continue == "" || most > 0 && len(all.Items) >= most {
			return all, nil
		}
	}
}

func (a *app) listPage(ctx context.Context, from dynamic.ResourceInterface, options metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	ctx, cancel := a.request(ctx)
	defer cancel()
	return from.List(ctx, options)
}

// create makes an object. Fields that its kind does not have are refused.
func (a *app) create(ctx context.Context, gvr schema.GroupVersionResource, namespace string, object k8sruntime.Object, dryRun bool) (*unstructured.Unstructured, error) {
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	u, err := toUnstructured(object)
	if err != nil {
		return nil, err
	}
	ctx, cancel := a.request(ctx)
	defer cancel()
	options := metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict, FieldManager: "soma"}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	made, err := c.dynamic.Resource(gvr).Namespace(namespace).Create(ctx, u, options)
	if err != nil {
		return nil, a.explainError(ctx, err, gvr, namespace, u.GetName())
	}
	return made, nil
}

// toUnstructured turns an object into what is sent: without a status, and without metadata that only the server sets.
func toUnstructured(object k8sruntime.Object) (*unstructured.Unstructured, error) {
	u, err := toUnstructuredWhole(object)
	if err != nil {
		return nil, err
	}
	delete(u.Object, "status")
	for _, field := range []string{"creationTimestamp", "managedFields", "uid", "generation", "resourceVersion"} {
		unstructured.RemoveNestedField(u.Object, "metadata", field)
	}
	return u, nil
}

func toUnstructuredWhole(object k8sruntime.Object) (*unstructured.Unstructured, error) {
	content, err := k8sruntime.DefaultUnstructuredConverter.ToUnstructured(object)
	return &unstructured.Unstructured{Object: content}, err
}

// decode turns an object as read into its Go type.
func decode[T any](u *unstructured.Unstructured) (*T, error) {
	object := new(T)
	if err := k8sruntime.DefaultUnstructuredConverter.FromUnstructured(u.Object, object); err != nil {
		return nil, fmt.Errorf("%s %q cannot be read: %w", u.GetKind(), u.GetName(), err)
	}
	return object, nil
}

// getJob reads a job of the current project.
func (a *app) getJob(ctx context.Context, name string) (*v1alpha1.Job, *unstructured.Unstructured, error) {
	c, err := a.connect()
	if err != nil {
		return nil, nil, err
	}
	u, err := a.get(ctx, jobs, c.project, name)
	if err != nil {
		return nil, nil, err
	}
	job, err := decode[v1alpha1.Job](u)
	return job, u, err
}
