package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
)

// Where several GPU models will do, what is free and what may be used are held against each other model by model.
func TestRoomIn(t *testing.T) {
	models := func(all ...v1alpha1.GPUModelAmount) v1alpha1.QuotaSpec {
		return v1alpha1.QuotaSpec{Nominal: v1alpha1.ResourceAmounts{CPU: new(resource.MustParse("64")), Memory: new(resource.MustParse("512Gi")), GPUModels: all}}
	}
	hundreds := func(h, a int32) v1alpha1.QuotaSpec {
		return models(v1alpha1.GPUModelAmount{Model: "H100", Count: h}, v1alpha1.GPUModelAmount{Model: "A100", Count: a})
	}
	shared := v1alpha1.QuotaSpec{Nominal: gpus(32), PerUser: &v1alpha1.ResourceAmounts{GPUs: new(int32(2))}}
	full := v1alpha1.QuotaStatus{Used: &v1alpha1.ResourceAmounts{GPUs: new(int32(v1alpha1.QuotaUsers + 1))}}
	for i := range v1alpha1.QuotaUsers {
		full.Users = append(full.Users, v1alpha1.UserUsage{Name: fmt.Sprint("user-", i), Used: v1alpha1.ResourceAmounts{GPUs: new(int32(1))}})
	}
	list, anyModel := v1alpha1.GPUs{Count: 1, Models: []string{"H100", "A100"}}, v1alpha1.GPUs{Count: 1}
	free := func(h, a int64) v1alpha1.PresetRoom {
		return v1alpha1.PresetRoom{Startable: h + a, Models: []v1alpha1.ModelRoom{{Model: "H100", Startable: h}, {Model: "A100", Startable: a}}}
	}
	usedUp := []v1alpha1.BudgetStatus{{
		Name: "month", Period: v1alpha1.BudgetMonth, Limit: "100", Unit: v1alpha1.BudgetUnitGPUHours,
		WindowEnd: metav1.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), ExhaustedTime: new(metav1.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)),
	}}
	paid := func(action v1alpha1.BudgetAction) v1alpha1.QuotaSpec {
		spec := hundreds(4, 4)
		spec.Budgets = []v1alpha1.Budget{{Name: "month", Period: v1alpha1.BudgetMonth, GPUHours: new(int64(100)), Action: action}}
		return spec
	}
	const mixed = "the GPUs that are free and those that the quota leaves are of different models"
	tests := map[string]struct {
		gpu    v1alpha1.GPUs
		nodes  v1alpha1.PresetRoom
		quota  v1alpha1.QuotaSpec
		status v1alpha1.QuotaStatus
		want   string
	}{
		"other models are free than may be used": {list, free(0, 8), hundreds(8, 0), v1alpha1.QuotaStatus{}, "0 of 8 on nodes, 8 in the quota: " + mixed},
		"some of each":                           {list, free(4, 4), hundreds(4, 4), v1alpha1.QuotaStatus{}, `8 of 8 on nodes, 8 in the quota: quota "research"`},
		"less of one than of the other":          {list, free(1, 8), hundreds(8, 2), v1alpha1.QuotaStatus{}, "3 of 9 on nodes, 10 in the quota: " + mixed},
		"any model":                              {anyModel, free(0, 8), hundreds(8, 0), v1alpha1.QuotaStatus{}, "0 of 8 on nodes, 8 in the quota: " + mixed},
		"nodes of no model that is known":        {anyModel, v1alpha1.PresetRoom{Startable: 3}, shared, v1alpha1.QuotaStatus{}, `2 of 3 on nodes, 2 in the quota: the share of user "ada" in quota "research"`},
		"what nodes have":                        {list, free(1, 2), hundreds(8, 8), v1alpha1.QuotaStatus{}, "3 of 3 on nodes, 16 in the quota: what is free on nodes"},
		"a budget that is used up": {list, free(4, 4), paid(v1alpha1.BudgetStartNothing), v1alpha1.QuotaStatus{Budgets: usedUp},
			`0 of 8 on nodes, 8 in the quota: quota research's budget "month" of 100 GPU-hours is used up; it is renewed 9999-01-01 00:00 UTC`},
		"a budget that only tells": {list, free(4, 4), paid(v1alpha1.BudgetNotify), v1alpha1.QuotaStatus{Budgets: usedUp}, `8 of 8 on nodes, 8 in the quota: quota "research"`},
		"a budget of which it is not known how it stands": {
			list, free(4, 4), paid(v1alpha1.BudgetStartNothing), v1alpha1.QuotaStatus{}, `0 of 8 on nodes, 8 in the quota: how much of quota research's budget "month" of 100 GPU-hours is used is not known yet`,
		},
		"a share of which the use is not told": {
			list, free(4, 4), shared, full, `2 of 8 on nodes, 2 in the quota: the share of user "ada" in quota "research"; not told: what user "ada" holds in quota "research"`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			quota := v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "research"}, Spec: tc.quota, Status: tc.status}
			cluster := &v1alpha1.Cluster{Spec: v1alpha1.ClusterSpec{Presets: []v1alpha1.Preset{{
				Name: "gpu", CPU: resource.MustParse("1"), Memory: resource.MustParse("1Gi"), GPU: &tc.gpu,
			}}}}
			tc.nodes.Name = "gpu"
			cluster.Status.Presets, cluster.Status.Conditions = []v1alpha1.PresetRoom{tc.nodes}, isReady(metav1.ConditionTrue)
			r := roomIn(&v1alpha1.Project{Spec: v1alpha1.ProjectSpec{Quota: "research"}}, cluster, "gpu", scheduling.OpenBooks([]v1alpha1.Quota{quota}, true), "ada", time.Now())
			got := fmt.Sprintf("%d of %d on nodes, %d in the quota: %s", r.Startable, r.Nodes, r.Quota, r.LimitedBy)
			if r.Unknown != "" {
				got += "; not told: " + r.Unknown
			}
			if got != tc.want {
				t.Errorf("%s\nwant %s", got, tc.want)
			}
		})
	}
}

func isReady(status metav1.ConditionStatus) []metav1.Condition {
	return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status}}
}

// Where no job starts, whatever is free, there is no room.
func TestRoomWhereNothingStarts(t *testing.T) {
	deleted := func(o *metav1.ObjectMeta) { o.DeletionTimestamp = new(metav1.Now()) }
	preset := v1alpha1.Preset{Name: "gpu", CPU: resource.MustParse("1"), Memory: resource.MustParse("1Gi"), GPU: &v1alpha1.GPUs{Count: 1}}
	tests := map[string]struct {
		change func(cluster *v1alpha1.Cluster, own, above *v1alpha1.Quota)
		want   string
	}{
		"something starts":      {func(*v1alpha1.Cluster, *v1alpha1.Quota, *v1alpha1.Quota) {}, `4 of 8 on nodes, 4 in the quota: quota "research"`},
		"it is not ready":       {func(c *v1alpha1.Cluster, _, _ *v1alpha1.Quota) { c.Status.Conditions = isReady(metav1.ConditionFalse) }, "0 of 8 on nodes, 4 in the quota: the cluster is not ready"},
		"nobody looked at it":   {func(c *v1alpha1.Cluster, _, _ *v1alpha1.Quota) { c.Status = v1alpha1.ClusterStatus{} }, "0 of 0 on nodes, 4 in the quota: the cluster is not ready"},
		"it is being deleted":   {func(c *v1alpha1.Cluster, _, _ *v1alpha1.Quota) { deleted(&c.ObjectMeta) }, "0 of 8 on nodes, 4 in the quota: the cluster is not ready"},
		"the quota is":          {func(_ *v1alpha1.Cluster, own, _ *v1alpha1.Quota) { deleted(&own.ObjectMeta) }, `0 of 8 on nodes, 4 in the quota: quota "vision" is being deleted`},
		"the quota above it is": {func(_ *v1alpha1.Cluster, _, above *v1alpha1.Quota) { deleted(&above.ObjectMeta) }, `0 of 8 on nodes, 4 in the quota: quota "research" is being deleted`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			own := v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "vision"}, Spec: v1alpha1.QuotaSpec{Parent: "research"}}
			above := v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "research"}, Spec: v1alpha1.QuotaSpec{Nominal: gpus(4)}}
			cluster := &v1alpha1.Cluster{Spec: v1alpha1.ClusterSpec{Presets: []v1alpha1.Preset{preset}}}
			cluster.Status.Presets, cluster.Status.Conditions = []v1alpha1.PresetRoom{{Name: "gpu", Startable: 8}}, isReady(metav1.ConditionTrue)
			tc.change(cluster, &own, &above)
			books := scheduling.OpenBooks([]v1alpha1.Quota{own, above}, true)
			r := roomIn(&v1alpha1.Project{Spec: v1alpha1.ProjectSpec{Quota: "vision"}}, cluster, "gpu", books, "ada", time.Now())
			if got := fmt.Sprintf("%d of %d on nodes, %d in the quota: %s", r.Startable, r.Nodes, r.Quota, r.LimitedBy); got != tc.want {
				t.Errorf("%s\nwant %s", got, tc.want)
			}
		})
	}
}

// What is no more than a bound is called one.
func TestRoomThatIsNotKnown(t *testing.T) {
	var out bytes.Buffer
	rooms := []room{{Preset: "gpu", Cluster: "local", Startable: 3, LimitedBy: "the nodes", Unknown: `what user "ada" holds in quota "research"`}}
	if err := (&app{out: &out, err: &out}).printRooms(rooms, "", false, &output{}); err != nil {
		t.Fatal(err)
	}
	if want := `up to 3     the nodes; not told is what user "ada" holds in quota "research"`; !strings.Contains(out.String(), want) {
		t.Errorf("%s\nwant %s", out.String(), want)
	}
}
