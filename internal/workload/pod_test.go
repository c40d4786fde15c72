package workload

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

func gang(change ...func(*platformv1.Job)) *platformv1.Job {
	replicas := int32(3)
	shm := resource.MustParse("1Gi")
	job := &platformv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "train", Namespace: "vision", UID: "3f2a9c1d-77aa", ResourceVersion: "42"},
		Spec:       platformv1.JobSpec{Image: "pytorch:2", Replicas: &replicas},
	}
	job.Status.Reservation = &platformv1.Reservation{
		Attempt: 2, Nodes: []platformv1.NodeShare{{Node: "a", Replicas: 2}, {Node: "b", Replicas: 1}},
		Replica: platformv1.ReplicaResources{CPU: resource.MustParse("4"), Memory: resource.MustParse("8Gi"), GPUs: 2, SHM: &shm},
	}
	for _, c := range change {
		c(job)
	}
	return job
}

// A job has as long to save its work as it says.
func TestGracePeriod(t *testing.T) {
	for given, want := range map[int64]int64{0: 30, 1: 1, 600: 600} {
		job := gang(func(j *platformv1.Job) {
			if given > 0 {
				j.Spec.GracePeriodSeconds = &given
			}
		})
		for _, p := range Pods(job, nil, nil) {
			if got := *p.Spec.TerminationGracePeriodSeconds; got != want {
				t.Errorf("given %d: %d seconds, want %d", given, got, want)
			}
		}
	}
}

func TestPodsOfAGang(t *testing.T) {
	pods := Pods(gang(), []platformv1.Toleration{{Key: "spot"}}, nil)
	wantNames := []string{"train-3f2a9c1d-2-0", "train-3f2a9c1d-2-1", "train-3f2a9c1d-2-2"}
	wantNodes := []string{"a", "a", "b"}
	for i, p := range pods {
		node := p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchFields[0].Values[0]
		if p.Name != wantNames[i] || node != wantNodes[i] {
			t.Errorf("pod %d is %s on %s, want %s on %s", i, p.Name, node, wantNames[i], wantNodes[i])
		}
		if p.Annotations[platformv1.AnnotationReservation] != "42" {
			t.Error("the pod does not say by which reservation it exists")
		}
	}
	if len(pods) != 3 {
		t.Fatalf("%d pods, want 3", len(pods))
	}
	env := map[string]string{}
	for _, v := range pods[2].Spec.Containers[0].Env {
		env[v.Name] = v.Value
	}
	want := map[string]string{
		"SOMA_RANK": "2", "RANK": "2", "SOMA_REPLICAS": "3", "WORLD_SIZE": "3", "SOMA_ATTEMPT": "2",
		"SOMA_MASTER_ADDR": "train-0.train.vision.svc", "MASTER_ADDR": "train-0.train.vision.svc",
		"SOMA_PEERS": "train-0.train.vision.svc,train-1.train.vision.svc,train-2.train.vision.svc",
	}
	for name, value := range want {
		if env[name] != value {
			t.Errorf("%s=%q, want %q", name, env[name], value)
		}
	}
}

// TestPodIsConfined checks what no field of a job can change.
func TestPodIsConfined(t *testing.T) {
	p := Pods(gang(), nil, nil)[0]
	c := p.Spec.Containers[0]
	switch {
	case *p.Spec.AutomountServiceAccountToken:
		t.Error("the pod gets a token of the cluster")
	case !*p.Spec.SecurityContext.RunAsNonRoot || *p.Spec.SecurityContext.RunAsUser == 0:
		t.Error("the pod may run as root")
	case *c.SecurityContext.AllowPrivilegeEscalation || !slices.Contains(c.SecurityContext.Capabilities.Drop, "ALL"):
		t.Error("the container keeps privileges")
	case c.TerminationMessagePolicy != corev1.TerminationMessageFallbackToLogsOnError:
		t.Error("the container's last words are lost")
	}
	for name, amount := range c.Resources.Requests {
		if limit := c.Resources.Limits[name]; limit.Cmp(amount) != 0 {
			t.Errorf("%s: request %s, limit %s", name, amount.String(), limit.String())
		}
	}
	if gpus := c.Resources.Limits[platformv1.ResourceGPU]; gpus.Value() != 2 {
		t.Errorf("%d GPUs, want 2", gpus.Value())
	}
}

func TestWhatAJobSaysIsWhatItGets(t *testing.T) {
	p := Pods(gang(func(j *platformv1.Job) {
		j.Annotations = map[string]string{"kwok.soma.dev/run-seconds": "2", "container.apparmor.security.beta.kubernetes.io/job": "unconfined"}
		j.Spec.Env = []platformv1.EnvVar{{Name: "HOME", Value: "/home/me"}, {Name: "A", Value: "$(SOMA_RANK)"}, {Name: "S", Secret: &platformv1.SecretKey{Name: "keys", Key: "s3"}}}
		j.Spec.Volumes = []platformv1.Volume{
			{MountPath: "/keys", Secret: &platformv1.SecretVolume{Name: "keys"}},
			{MountPath: "/key", Secret: &platformv1.SecretVolume{Name: "keys", Key: "s3"}},
			{MountPath: "/scratch", Scratch: &platformv1.ScratchVolume{Size: resource.MustParse("2Gi")}},
		}
	}), nil, nil)[0]
	env := p.Spec.Containers[0].Env
	if n := strings.Count(names(env), "HOME,"); n != 1 {
		t.Errorf("HOME is set %d times", n)
	}
	last := env[len(env)-1]
	if env[len(env)-2].Value != "$$(SOMA_RANK)" || last.ValueFrom.SecretKeyRef.Name != "keys" {
		t.Errorf("environment %v", env[len(env)-3:])
	}
	mounts := p.Spec.Containers[0].VolumeMounts
	if !mounts[1].ReadOnly || mounts[2].SubPath != "s3" || mounts[3].ReadOnly || p.Spec.Volumes[3].EmptyDir.SizeLimit.String() != "2Gi" {
		t.Errorf("mounts %v", mounts)
	}
	if all, one := p.Spec.Volumes[1].Secret, p.Spec.Volumes[2].Secret; len(all.Items) != 0 || len(one.Items) != 1 || one.Items[0].Key != "s3" || one.Items[0].Path != "s3" {
		t.Errorf("a key that does not exist would not be noticed: %v, %v", all, one)
	}
	if _, passed := p.Annotations["container.apparmor.security.beta.kubernetes.io/job"]; passed || p.Annotations["kwok.soma.dev/run-seconds"] != "2" {
		t.Errorf("annotations %v", p.Annotations)
	}
}

func names(env []corev1.EnvVar) string {
	text := ""
	for _, v := range env {
		text += v.Name + ","
	}
	return text
}

func TestResolve(t *testing.T) {
	quantity := func(s string) *resource.Quantity { q := resource.MustParse(s); return &q }
	cluster := &platformv1.ClusterSpec{Presets: []platformv1.Preset{
		{Name: "small", CPU: resource.MustParse("1"), Memory: resource.MustParse("2Gi")},
		{Name: "gpu", CPU: resource.MustParse("8"), Memory: resource.MustParse("64Gi"), GPU: &platformv1.GPUs{Count: 1, Model: "A100"}, SHM: quantity("8Gi")},
		{Name: "broken", CPU: resource.MustParse("0"), Memory: resource.MustParse("1Gi")},
	}}
	tests := map[string]struct {
		job        platformv1.JobSpec
		want       string // preset cpu gpus model shm
		wantReason platformv1.JobReason
	}{
		"nothing asked: the first preset": {platformv1.JobSpec{}, "small 1 0  ", ""},
		"a preset":                        {platformv1.JobSpec{Preset: "gpu"}, "gpu 8 1 A100 8Gi", ""},
		"a preset with its own shm":       {platformv1.JobSpec{Preset: "gpu", Resources: &platformv1.JobResources{SHM: quantity("16Gi")}}, "gpu 8 1 A100 16Gi", ""},
		"more shm than memory":            {platformv1.JobSpec{Preset: "small", Resources: &platformv1.JobResources{SHM: quantity("16Gi")}}, "", platformv1.JobReasonPresetInvalid},
		"a preset that is not there":      {platformv1.JobSpec{Preset: "huge"}, "", platformv1.JobReasonPresetNotFound},
		"a preset that asks for nothing":  {platformv1.JobSpec{Preset: "broken"}, "", platformv1.JobReasonPresetInvalid},
		"own resources": {platformv1.JobSpec{Resources: &platformv1.JobResources{
			CPU: quantity("500m"), Memory: quantity("32Mi"), GPU: &platformv1.GPUs{Count: 2}}}, " 500m 2  ", ""},
		"one of two models": {platformv1.JobSpec{Resources: &platformv1.JobResources{
			CPU: quantity("500m"), Memory: quantity("32Mi"), GPU: &platformv1.GPUs{Count: 2, Models: []string{"H100", "A100"}}}}, " 500m 2 H100+A100 ", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			request, refusal := Resolve(&tc.job, cluster)
			if refusal != nil {
				if refusal.Reason != tc.wantReason || refusal.Message == "" {
					t.Errorf("refused with %+v, want %q", refusal, tc.wantReason)
				}
				return
			}
			r := request.Replica
			got := strings.Join([]string{request.Preset, r.CPU.String(), resource.NewQuantity(int64(r.GPUs), resource.DecimalSI).String(), strings.Join(request.Models, "+"), text(r.SHM)}, " ")
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// Where a job may run is what it says itself, else what its preset does.
func TestResolvePlacement(t *testing.T) {
	cluster := &platformv1.ClusterSpec{Presets: []platformv1.Preset{
		{Name: "anywhere", CPU: resource.MustParse("1"), Memory: resource.MustParse("2Gi")},
		{Name: "cheap", CPU: resource.MustParse("1"), Memory: resource.MustParse("2Gi"), Pools: []string{"spot", "old"}, Spot: ptr.To(true)},
	}}
	own := platformv1.JobResources{CPU: &cluster.Presets[0].CPU, Memory: &cluster.Presets[0].Memory}
	for name, tc := range map[string]struct {
		job  platformv1.JobSpec
		want string
	}{
		"nothing":              {platformv1.JobSpec{}, "false"},
		"the preset's":         {platformv1.JobSpec{Preset: "cheap"}, "spot old true"},
		"a pool of its own":    {platformv1.JobSpec{Preset: "cheap", Placement: &platformv1.Placement{Pools: []string{"new"}}}, "new true"},
		"no spot":              {platformv1.JobSpec{Preset: "cheap", Placement: &platformv1.Placement{Spot: ptr.To(false)}}, "spot old false"},
		"its own, no preset":   {platformv1.JobSpec{Resources: &own, Placement: &platformv1.Placement{Pools: []string{"new"}, Spot: ptr.To(true)}}, "new true"},
		"its own, beside that": {platformv1.JobSpec{Preset: "anywhere", Placement: &platformv1.Placement{Spot: ptr.To(true)}}, "true"},
	} {
		t.Run(name, func(t *testing.T) {
			request, refusal := Resolve(&tc.job, cluster)
			got := strings.Join(append(slices.Clone(request.Pools), strconv.FormatBool(request.Spot)), " ")
			if refusal != nil || got != tc.want {
				t.Errorf("got %q (%+v), want %q", got, refusal, tc.want)
			}
		})
	}
}

func text(q *resource.Quantity) string {
	if q == nil {
		return ""
	}
	return q.String()
}
