package lease

import (
	"fmt"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Election is how one of several managers comes to lead.
type Election struct {
	// Namespace and Name are those of the lease, which need not exist.
	Namespace, Name string
	// Duration is how long the others wait for a leader that is not heard of, in whole seconds. A leader that cannot renew the
	// lease gives up after two thirds of that.
	Duration time.Duration
	// Guard, where one is given, is the one that keeps the manager's client: it tells others that write in what term they do.
	Guard *Guard
}

// NewManager is ctrl.NewManager for one of several managers, of which one leads. The manager's client writes only while this
// one does; what writes without leading needs a client of its own, of the manager's configuration.
func NewManager(api *rest.Config, options ctrl.Options, e Election) (ctrl.Manager, error) {
	if e.Duration <= 0 || e.Duration%time.Second != 0 {
		return nil, fmt.Errorf("a leader cannot be waited for for %s: give whole seconds", e.Duration)
	}
	// Together that is four fifths: a leader that is not paused gives up as the guard lets nothing through any more.
	renew, retry := e.Duration*2/3, e.Duration*2/15
	lock, err := newLock(api, e, renew)
	if err != nil {
		return nil, err
	}
	guard := e.Guard
	if guard == nil {
		guard = &Guard{Clock: clock.RealClock{}}
	}
	options.LeaderElection, options.LeaderElectionReleaseOnCancel, options.LeaderElectionID = true, true, e.Name
	options.LeaderElectionResourceLockInterface = guard.Watch(lock)
	options.LeaseDuration, options.RenewDeadline, options.RetryPeriod = &e.Duration, &renew, &retry
	options.NewClient = func(api *rest.Config, o client.Options) (client.Client, error) {
		api = rest.CopyConfig(api)
		api.Wrap(guard.Wrap)
		o.HTTPClient = nil // the one that is given serves also those who write without leading
		return client.New(api, o)
	}
	mgr, err := ctrl.NewManager(api, options)
	if err != nil {
		return nil, err
	}
	lock.LockConfig.EventRecorder = mgr.GetEventRecorderFor(lock.Identity()) //nolint:staticcheck // locks know no newer one
	return mgr, nil
}

// newLock is the lock that controller-runtime would make.
func newLock(api *rest.Config, e Election, renew time.Duration) (*resourcelock.LeaseLock, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("read this machine's name, to be known by: %w", err)
	}
	api = rest.AddUserAgent(rest.CopyConfig(api), "leader-election")
	api.Timeout = max(renew/2, time.Second) // one request that hangs does not cost the lease
	leases, err := coordinationv1.NewForConfig(api)
	if err != nil {
		return nil, fmt.Errorf("make a client for the lease %s/%s: %w", e.Namespace, e.Name, err)
	}
	return &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: e.Namespace, Name: e.Name},
		Client:     leases,
		LockConfig: resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())},
	}, nil
}
