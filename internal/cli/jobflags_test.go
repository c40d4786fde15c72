package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func ptr[T any](v T) *T { return &v }

func quantityOf(text string) *resource.Quantity { return ptr(resource.MustParse(text)) }

// parseFlags makes the flags of a job from a command line.
func parseFlags(t *testing.T, args ...string) (*jobFlags, func(string) bool) {
	t.Helper()
	f, c := &jobFlags{}, &cobra.Command{Use: "run"}
	f.addTo(c, &app{program: "soma"})
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return f, givenFlags(c.Flags())
}

func TestNewJob(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("A=file\nB=file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	day := ptr(int64(86400))
	tests := map[string]struct {
		args      []string
		want      v1alpha1.JobSpec
		wantError string
	}{
		"nothing said":      {want: v1alpha1.JobSpec{LifeSpanSeconds: day}},
		"no end":            {args: []string{"--life-span", "0"}, want: v1alpha1.JobSpec{}},
		"preset":            {args: []string{"-p", "gpu", "--shm", "1Gi"}, want: v1alpha1.JobSpec{Preset: "gpu", LifeSpanSeconds: day, Resources: &v1alpha1.JobResources{SHM: quantityOf("1Gi")}}},
		"placement":         {args: []string{"--pool", "a100", "--pool", "v100", "--spot", "--within", "rack", "--preemptible"}, want: v1alpha1.JobSpec{LifeSpanSeconds: day, Preemptible: new(true), Placement: &v1alpha1.Placement{Pools: []string{"a100", "v100"}, Spot: new(true), Within: "rack"}}},
		"one of two models": {args: []string{"--cpu", "4", "--memory", "16Gi", "--gpu", "2:H100,A100"}, want: v1alpha1.JobSpec{LifeSpanSeconds: day, Resources: &v1alpha1.JobResources{CPU: quantityOf("4"), Memory: quantityOf("16Gi"), GPU: &v1alpha1.GPUs{Count: 2, Models: []string{"H100", "A100"}}}}},
		"own size":          {args: []string{"--cpu", "4", "--memory", "16Gi", "--gpu", "2:A100"}, want: v1alpha1.JobSpec{LifeSpanSeconds: day, Resources: &v1alpha1.JobResources{CPU: quantityOf("4"), Memory: quantityOf("16Gi"), GPU: &v1alpha1.GPUs{Count: 2, Model: "A100"}}}},
		"two sizes":         {args: []string{"-p", "gpu", "--cpu", "4"}, wantError: "a preset or its own"},
		"half a size":       {args: []string{"--gpu", "1"}, wantError: "--cpu and --memory are given together"},
		"bad amount":        {args: []string{"--cpu", "four", "--memory", "1Gi"}, wantError: `--cpu: "four" is not an amount`},
		"file, then flag":   {args: []string{"--env-file", file, "-e", "B=flag"}, want: v1alpha1.JobSpec{LifeSpanSeconds: day, Env: []v1alpha1.EnvVar{{Name: "A", Value: "file"}, {Name: "B", Value: "flag"}}}},
		"no such file":      {args: []string{"--env-file", file + "x"}, wantError: "no such file"},
		"one path twice":    {args: []string{"-v", "scratch:1Gi:/a", "-v", "secret:s:/a"}, wantError: "two volumes are mounted at /a"},
		"restart":           {args: []string{"--restart", "on-failure", "--max-retries", "5"}, want: v1alpha1.JobSpec{LifeSpanSeconds: day, Restart: &v1alpha1.Restart{Policy: v1alpha1.RestartOnFailure, MaxRetries: ptr(int32(5))}}},
		"restart rules": {args: []string{"--restart", "on-failure", "--backoff", "10s,5m", "--restart-rule", "fail:42,43", "--restart-rule", "retry-free:NodeLost,GPULost:10"},
			want: v1alpha1.JobSpec{LifeSpanSeconds: day, Restart: &v1alpha1.Restart{Policy: v1alpha1.RestartOnFailure, BackoffSeconds: ptr(int64(10)), MaxBackoffSeconds: ptr(int64(300)), Rules: []v1alpha1.RestartRule{
				{ExitCodes: []int32{42, 43}, Action: v1alpha1.RestartFail},
				{Categories: []v1alpha1.FailureCategory{v1alpha1.FailureNodeLost, v1alpha1.FailureGPULost}, Action: v1alpha1.RestartRetryFree, MaxRetries: ptr(int32(10))}}}}},
		"pauses of rules": {args: []string{"--restart", "on-failure", "--restart-rule", "retry:Image:4:1m,10m", "--restart-rule", "retry-free:75::30s"},
			want: v1alpha1.JobSpec{LifeSpanSeconds: day, Restart: &v1alpha1.Restart{Policy: v1alpha1.RestartOnFailure, Rules: []v1alpha1.RestartRule{
				{Categories: []v1alpha1.FailureCategory{v1alpha1.FailureImage}, Action: v1alpha1.RestartRetry, MaxRetries: ptr(int32(4)), BackoffSeconds: ptr(int64(60)), MaxBackoffSeconds: ptr(int64(600))},
				{ExitCodes: []int32{75}, Action: v1alpha1.RestartRetryFree, BackoffSeconds: ptr(int64(30))},
			}}}},
		"no such pause":     {args: []string{"--restart", "on-failure", "--restart-rule", "retry:Image:1:soon"}, wantError: "--restart-rule"},
		"a rule of both":    {args: []string{"--restart", "on-failure", "--restart-rule", "fail:42,Image"}, wantError: "give two rules"},
		"a rule of nothing": {args: []string{"--restart", "on-failure", "--restart-rule", "fail"}, wantError: "for instance fail:42"},
		"no such action":    {args: []string{"--restart", "on-failure", "--restart-rule", "stop:42"}, wantError: "the actions are"},
		"a rule alone":      {args: []string{"--restart-rule", "fail:42"}, wantError: "--restart-rule needs --restart"},
		"bad pause":         {args: []string{"--restart", "on-failure", "--backoff", "soon"}, wantError: "--backoff:"},
		"retries alone":     {args: []string{"--max-retries", "5"}, wantError: "needs --restart"},
		"unknown restart":   {args: []string{"--restart", "maybe"}, wantError: `no restart policy "maybe"`},
		"no job's name":     {args: []string{"--name", "Calm_1"}, wantError: `--name: "Calm_1" cannot be a job's name; write 1 to 40 lower-case letters`},
		"too long a name":   {args: []string{"--name", strings.Repeat("a", 41)}, wantError: "write 1 to 40"},
		"longest name":      {args: []string{"--name", strings.Repeat("a", 40)}, want: v1alpha1.JobSpec{LifeSpanSeconds: day}},
		"unknown priority":  {args: []string{"--priority", "urgent"}, wantError: `no priority "urgent"`},
		"times":             {args: []string{"--schedule-timeout", "90m", "--life-span", "1d12h", "--ttl", "0", "--grace", "5m"}, want: v1alpha1.JobSpec{ScheduleTimeoutSeconds: ptr(int64(5400)), LifeSpanSeconds: ptr(int64(129600)), GracePeriodSeconds: ptr(int64(300)), TTLSecondsAfterFinished: ptr(int32(0))}},
		"no time to end":    {args: []string{"--grace", "0"}, wantError: "--grace: a job has a second"},
		"bad time":          {args: []string{"--life-span", "tomorrow"}, wantError: "--life-span:"},
		"parts of a second": {args: []string{"--life-span", "1500ms"}, wantError: "whole number of seconds"},
		"the rest": {
			args: []string{"-w", "/src", "--entrypoint", "bash", "--http-port", "8080", "--tag", "a", "--tag", "a", "--tag", "b,c", "--description", "d", "--priority", "HIGH", "--replicas", "4", "--cluster", "c", "--image-pull-secret", "s", "--energy-schedule", "night", "--submitted-by", "alice"},
			want: v1alpha1.JobSpec{
				LifeSpanSeconds: day, WorkingDir: "/src", Command: []string{"bash"}, HTTP: &v1alpha1.HTTPPort{Port: 8080}, Tags: []string{"a", "b,c"},
				Description: "d", Priority: v1alpha1.PriorityHigh, Replicas: ptr(int32(4)), Cluster: "c", ImagePullSecret: "s", EnergySchedule: "night", SubmittedBy: "alice",
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, given := parseFlags(t, tt.args...)
			got, err := newJob(f, given, "image", []string{"python", "train.py"})
			checkError(t, err, tt.wantError)
			tt.want.Image, tt.want.Args = "image", []string{"python", "train.py"}
			if err == nil {
				if diff := cmp.Diff(tt.want, got.Spec); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestCloneJob(t *testing.T) {
	base := v1alpha1.JobSpec{
		Image: "image", Args: []string{"a"}, Preset: "small", Tags: []string{"old"}, LifeSpanSeconds: ptr(int64(60)),
		Env:         []v1alpha1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "1"}},
		Resources:   &v1alpha1.JobResources{SHM: quantityOf("1Gi")},
		SubmittedBy: "ada", CancelledBy: "ada", Cancel: ptr(true), Suspend: ptr(true),
	}
	original := base.DeepCopy()
	f, given := parseFlags(t, "-e", "B=2", "-e", "C=3", "--tag", "new", "--cpu", "1", "--memory", "2Gi")
	got, err := cloneJob(f, given, "train-x7k2p", &base, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := v1alpha1.JobSpec{
		Image: "image", Args: []string{"a"}, Tags: []string{"old", "new"}, LifeSpanSeconds: ptr(int64(60)),
		Env:       []v1alpha1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}, {Name: "C", Value: "3"}},
		Resources: &v1alpha1.JobResources{CPU: quantityOf("1"), Memory: quantityOf("2Gi"), SHM: quantityOf("1Gi")},
	}
	if diff := cmp.Diff(want, got.Spec); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(*original, base); diff != "" {
		t.Errorf("the other job was changed: %s", diff)
	}
	if got.Name == "train-x7k2p" {
		t.Error("the clone has the name of the other job")
	}
}

// TestCommands builds every command, as flags with the same shorthand would only be found then.
func TestCommands(t *testing.T) {
	a := &app{program: "soma", out: io.Discard, err: io.Discard}
	walk(newRoot(a), func(c *cobra.Command) {
		if c.Short == "" {
			t.Errorf("%s has no description", c.CommandPath())
		}
		if err := c.Help(); err != nil {
			t.Error(err)
		}
		if c.Runnable() && c.HasParent() && c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 {
			t.Errorf("%s completes nothing", c.CommandPath())
		}
	})
}
