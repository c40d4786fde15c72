package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// defaultLifeSpan is how long a job of `soma run` may run where nothing else is said, so that a forgotten job ends.
const defaultLifeSpan = "1d"

// jobFlags describe a job. The same flags make a new one and edit the copy of one that was.
type jobFlags struct {
	name                             string
	preset, cpu, memory, gpu, shm    string
	env, envFiles, volumes, tags     []string
	workdir, entrypoint, description string
	priority, restart, backoff       string
	restartRules                     []string
	maxRetries, replicas, httpPort   int32
	scheduleTimeout, lifeSpan, keep  string
	grace                            string
	cluster, imagePullSecret, within string
	energySchedule, submittedBy      string
	pools                            []string
	spot, preemptible, public        bool
	readFile                         func(string) (*os.File, error)
	lookupEnv                        func(string) (string, bool)
}

func (f *jobFlags) addTo(c *cobra.Command, a *app) {
	flags := c.Flags()
	flags.StringVarP(&f.name, "name", "n", "", "name of the job (default: generated)")
	flags.StringVarP(&f.preset, "preset", "p", "", "size of the job by name; see \""+a.program+" preset ls\"")
	flags.StringVar(&f.cpu, "cpu", "", "cores, for instance 4 or 500m, where no preset is named")
	flags.StringVar(&f.memory, "memory", "", "memory, for instance 16Gi, where no preset is named")
	flags.StringVar(&f.gpu, "gpu", "", "GPUs as N, N:MODEL or N:MODEL,MODEL (the best first), where no preset is named")
	flags.StringVar(&f.shm, "shm", "", "size of /dev/shm, part of the memory, for instance 8Gi")
	flags.StringArrayVarP(&f.env, "env", "e", nil, "variable as NAME=VALUE, NAME=secret:SECRET/KEY, or NAME alone to pass on your own; may be repeated")
	flags.StringArrayVar(&f.envFiles, "env-file", nil, "file of variables, one a line; may be repeated")
	flags.StringArrayVarP(&f.volumes, "volume", "v", nil, "secret:NAME[/KEY]:/path or scratch:SIZE:/path; may be repeated")
	flags.StringVarP(&f.workdir, "workdir", "w", "", "working directory")
	flags.StringVar(&f.entrypoint, "entrypoint", "", "program that replaces the image's entry point")
	flags.Int32Var(&f.httpPort, "http-port", 0, "port on which the job serves HTTP")
	flags.BoolVar(&f.public, "public", false, "let everybody see the job's page, where the project allows it")
	flags.StringArrayVar(&f.tags, "tag", nil, "tag by which the job is found again; may be repeated")
	flags.StringVar(&f.description, "description", "", "description for people")
	flags.StringVar(&f.priority, "priority", "", "low, normal or high")
	flags.StringVar(&f.restart, "restart", "", "never, on-failure or always")
	flags.Int32Var(&f.maxRetries, "max-retries", 0, "attempts after failed ones, with --restart")
	flags.StringVar(&f.backoff, "backoff", "", "pause before the first retry and the longest, for instance 10s or 10s,5m; it doubles in between")
	flags.StringArrayVar(&f.restartRules, "restart-rule", nil, "what follows failures as ACTION:WHAT[:TIMES[:PAUSES]], for instance fail:42, retry-free:NodeLost or retry:Image:5:1m,10m; the first that matches counts; may be repeated")
	flags.StringVar(&f.scheduleTimeout, "schedule-timeout", "", "how long the job may wait for its start, for instance 2h; 0 is without end")
	flags.StringVar(&f.lifeSpan, "life-span", "", "how long the job may run, for instance 12h; 0 is without end (default for a new job: "+defaultLifeSpan+")")
	flags.StringVar(&f.grace, "grace", "", "how long the job has, after SIGTERM, to save its work before it is killed, for instance 5m (default: 30s)")
	flags.StringVar(&f.keep, "ttl", "", "how long the job's object and logs are kept after its end (default: 1d)")
	flags.Int32Var(&f.replicas, "replicas", 0, "equal pods that start together")
	flags.StringVar(&f.cluster, "cluster", "", "cluster on which the job runs")
	flags.StringVar(&f.energySchedule, "energy-schedule", "", "energy schedule of the cluster in whose windows alone the job runs; see \""+a.program+" cluster status\"")
	flags.StringArrayVar(&f.pools, "pool", nil, "pool in which the job may run, the best first; may be repeated")
	flags.BoolVar(&f.spot, "spot", false, "allow nodes that can be taken away at any time")
	flags.StringVar(&f.within, "within", "", "level of the cluster's topology of which all replicas are in one domain, for instance rack")
	flags.BoolVar(&f.preemptible, "preemptible", false, "let the job give way to others where its quota says so; it starts anew later")
	flags.StringVar(&f.submittedBy, "submitted-by", "", "user whose job it is, where that is not you: one who lets you submit for them, see \""+a.program+" user delegate --help\"")
	flags.StringVar(&f.imagePullSecret, "image-pull-secret", "", "secret of the project with the credentials of the image's registry")
	fixed := func(flag string, words ...string) {
		must(c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)))
	}
	fixed("priority", "low", "normal", "high")
	fixed("restart", "never", "on-failure", "always")
	fixed("restart-rule", "fail:", "retry:", "retry-free:")
	completeFlag(c, "preset", a.presetNames())
	completeFlag(c, "gpu", a.gpuWords())
	completeFlag(c, "cluster", a.objectNames(clusters))
	completeFlag(c, "submitted-by", a.objectNames(users))
	completeFlag(c, "energy-schedule", a.energyScheduleNames())
	completeFlag(c, "tag", a.ofJobs(tagsOf))
	completeFlag(c, "env", a.envWords())
	completeFlag(c, "volume", a.volumeWords())
	completeFlag(c, "image-pull-secret", a.secretNames())
	f.readFile, f.lookupEnv = os.Open, os.LookupEnv
}

// apply changes the spec as the flags that were given say, and leaves the rest as it is.
func (f *jobFlags) apply(spec *v1alpha1.JobSpec, given func(flag string) bool) error {
	steps := []func(*v1alpha1.JobSpec, func(string) bool) error{
		f.applySize, f.applyEnv, f.applyVolumes, f.applyRestart, f.applyTimes, f.applyPlacement, f.applyRest,
	}
	for _, step := range steps {
		if err := step(spec, given); err != nil {
			return err
		}
	}
	return nil
}

func (f *jobFlags) applySize(spec *v1alpha1.JobSpec, given func(string) bool) error {
	own := given("cpu") || given("memory") || given("gpu")
	if given("preset") && own {
		return fmt.Errorf("a job names a preset or its own --cpu, --memory and --gpu, not both")
	}
	if given("preset") {
		spec.Preset = f.preset
		if spec.Resources != nil {
			spec.Resources = &v1alpha1.JobResources{SHM: spec.Resources.SHM}
		}
	}
	if spec.Resources == nil {
		spec.Resources = &v1alpha1.JobResources{}
	}
	var err error
	if own {
		spec.Preset = ""
	}
	if given("cpu") {
		if spec.Resources.CPU, err = parseQuantity("cpu", f.cpu); err != nil {
			return err
		}
	}
	if given("memory") {
		if spec.Resources.Memory, err = parseQuantity("memory", f.memory); err != nil {
			return err
		}
	}
	if given("gpu") {
		if spec.Resources.GPU, err = parseGPU(f.gpu); err != nil {
			return err
		}
	}
	if given("shm") {
		if spec.Resources.SHM, err = parseQuantity("shm", f.shm); err != nil {
			return err
		}
	}
	if own && (spec.Resources.CPU == nil || spec.Resources.Memory == nil) {
		return fmt.Errorf("--cpu and --memory are given together, also with --gpu; or name a --preset")
	}
	if *spec.Resources == (v1alpha1.JobResources{}) {
		spec.Resources = nil
	}
	return nil
}

func (f *jobFlags) applyEnv(spec *v1alpha1.JobSpec, _ func(string) bool) error {
	var vars []v1alpha1.EnvVar
	for _, name := range f.envFiles {
		fromFile, err := f.readEnvFile(name)
		if err != nil {
			return err
		}
		vars = append(vars, fromFile...)
	}
	for _, text := range f.env {
		v, err := parseEnv(text, f.lookupEnv)
		if err != nil {
			return fmt.Errorf("--env: %w", err)
		}
		vars = append(vars, v)
	}
	for _, v := range vars { // what is said later counts
		spec.Env = upsert(spec.Env, v, func(other v1alpha1.EnvVar) bool { return other.Name == v.Name })
	}
	return nil
}

func (f *jobFlags) readEnvFile(name string) ([]v1alpha1.EnvVar, error) {
	file, err := f.readFile(name)
	if err != nil {
		return nil, fmt.Errorf("--env-file: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	return parseEnvFile(file, name, f.lookupEnv)
}

func (f *jobFlags) applyVolumes(spec *v1alpha1.JobSpec, _ func(string) bool) error {
	seen := map[string]bool{}
	for _, text := range f.volumes {
		v, err := parseVolume(text)
		if err != nil {
			return fmt.Errorf("--volume: %w", err)
		}
		if seen[v.MountPath] {
			return fmt.Errorf("--volume: two volumes are mounted at %s", v.MountPath)
		}
		seen[v.MountPath] = true
		spec.Volumes = upsert(spec.Volumes, v, func(other v1alpha1.Volume) bool { return other.MountPath == v.MountPath })
	}
	return nil
}

func (f *jobFlags) applyRestart(spec *v1alpha1.JobSpec, given func(string) bool) error {
	if !slices.ContainsFunc([]string{"restart", "max-retries", "backoff", "restart-rule"}, given) {
		return nil
	}
	if spec.Restart == nil {
		spec.Restart = &v1alpha1.Restart{}
	}
	if given("restart") {
		policy, err := parseRestart(f.restart)
		if err != nil {
			return err
		}
		spec.Restart.Policy = policy
	}
	for _, flag := range []string{"max-retries", "backoff", "restart-rule"} {
		if given(flag) && (spec.Restart.Policy == "" || spec.Restart.Policy == v1alpha1.RestartNever) {
			return fmt.Errorf("--%s needs --restart on-failure or always", flag)
		}
	}
	if given("max-retries") {
		spec.Restart.MaxRetries = &f.maxRetries
	}
	if given("backoff") {
		first, longest, err := parsePauses(f.backoff)
		if err != nil {
			return fmt.Errorf("--backoff: %w", err)
		}
		spec.Restart.BackoffSeconds = first
		if longest != nil {
			spec.Restart.MaxBackoffSeconds = longest
		}
	}
	if given("restart-rule") {
		spec.Restart.Rules = nil
	}
	for _, text := range f.restartRules {
		rule, err := parseRule(text)
		if err != nil {
			return fmt.Errorf("--restart-rule: %w", err)
		}
		spec.Restart.Rules = append(spec.Restart.Rules, rule)
	}
	return nil
}

func (f *jobFlags) applyTimes(spec *v1alpha1.JobSpec, given func(string) bool) error {
	set := func(flag, text string, to **int64) error {
		if !given(flag) {
			return nil
		}
		seconds, err := parseSeconds(text)
		if err != nil {
			return fmt.Errorf("--%s: %w", flag, err)
		}
		if *to = &seconds; seconds == 0 {
			*to = nil
		}
		return nil
	}
	if err := set("schedule-timeout", f.scheduleTimeout, &spec.ScheduleTimeoutSeconds); err != nil {
		return err
	}
	if err := set("life-span", f.lifeSpan, &spec.LifeSpanSeconds); err != nil {
		return err
	}
	if err := set("grace", f.grace, &spec.GracePeriodSeconds); err != nil {
		return err
	}
	if given("grace") && spec.GracePeriodSeconds == nil {
		return errors.New("--grace: a job has a second to end at the least")
	}
	if given("ttl") {
		seconds, err := parseSeconds(f.keep)
		if err != nil {
			return fmt.Errorf("--ttl: %w", err)
		}
		keep := int32(min(seconds, 1<<31-1)) //nolint:gosec // bounded in the same expression
		spec.TTLSecondsAfterFinished = &keep
	}
	return nil
}

func (f *jobFlags) applyPlacement(spec *v1alpha1.JobSpec, given func(string) bool) error {
	placement := v1alpha1.Placement{}
	if spec.Placement != nil {
		placement = *spec.Placement
	}
	if given("pool") {
		placement.Pools = f.pools
	}
	if given("spot") {
		if placement.Spot = nil; f.spot {
			placement.Spot = &f.spot
		}
	}
	if given("within") {
		placement.Within = f.within
	}
	if spec.Placement = nil; len(placement.Pools) > 0 || placement.Spot != nil || placement.Within != "" {
		spec.Placement = &placement
	}
	if given("preemptible") {
		if spec.Preemptible = nil; f.preemptible {
			spec.Preemptible = &f.preemptible
		}
	}
	return nil
}

func (f *jobFlags) applyRest(spec *v1alpha1.JobSpec, given func(string) bool) error {
	texts := map[string]struct {
		from string
		to   *string
	}{
		"workdir":           {f.workdir, &spec.WorkingDir},
		"description":       {f.description, &spec.Description},
		"cluster":           {f.cluster, &spec.Cluster},
		"image-pull-secret": {f.imagePullSecret, &spec.ImagePullSecret},
		"energy-schedule":   {f.energySchedule, &spec.EnergySchedule},
		"submitted-by":      {f.submittedBy, &spec.SubmittedBy},
	}
	for flag, text := range texts {
		if given(flag) {
			*text.to = text.from
		}
	}
	for _, tag := range f.tags {
		if !slices.Contains(spec.Tags, tag) {
			spec.Tags = append(spec.Tags, tag)
		}
	}
	if given("entrypoint") {
		if spec.Command = nil; f.entrypoint != "" {
			spec.Command = []string{f.entrypoint}
		}
	}
	if given("http-port") {
		if spec.HTTP = nil; f.httpPort != 0 {
			spec.HTTP = &v1alpha1.HTTPPort{Port: f.httpPort}
		}
	}
	if given("public") {
		if spec.HTTP == nil {
			return errors.New("--public needs --http-port: a job without a page has nothing that could be public")
		}
		spec.HTTP.Public = &f.public
	}
	if given("replicas") {
		spec.Replicas = &f.replicas
	}
	if given("priority") {
		priority, err := parsePriority(f.priority)
		if err != nil {
			return err
		}
		spec.Priority = priority
	}
	return nil
}

// givenFlags reports which flags the user gave.
func givenFlags(flags *pflag.FlagSet) func(string) bool {
	return func(flag string) bool { return flags.Changed(flag) }
}

// upsert replaces the element that matches, or adds one.
func upsert[T any](list []T, element T, matches func(T) bool) []T {
	if at := slices.IndexFunc(list, matches); at >= 0 {
		list = slices.Clone(list)
		list[at] = element
		return list
	}
	return append(list, element)
}

// splitCommand splits the arguments of a command line at "--": at most one before it, of which the meaning is the
// caller's, and the job's command after it.
func splitCommand(c *cobra.Command, args []string, subject string) (first string, command []string, err error) {
	before := c.ArgsLenAtDash()
	if before < 0 {
		before = len(args)
	}
	switch {
	case before == 0:
		return "", nil, fmt.Errorf("%s is missing", subject)
	case before > 1:
		return "", nil, fmt.Errorf("what the job runs is written after --: %s %s -- %s", displayPath(c), args[0], strings.Join(args[1:], " "))
	}
	return args[0], args[before:], nil
}
