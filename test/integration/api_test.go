package integration

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/integration/harness"
)

// manifest is an object as a person writes it: the kind and the fields of its spec in YAML.
func manifest(kind, name, spec string) *unstructured.Unstructured {
	GinkgoHelper()
	o := &unstructured.Unstructured{Object: map[string]any{}}
	fields := map[string]any{}
	Expect(yaml.Unmarshal([]byte(spec), &fields)).To(Succeed())
	o.Object["spec"] = fields
	o.SetAPIVersion(v1alpha1.GroupVersion.String())
	o.SetKind(kind)
	o.SetName(name)
	if kind == "Job" {
		o.SetNamespace("default")
	}
	return o
}

// apply creates the object without keeping it, and refuses fields that do not exist, as kubectl does.
func apply(o *unstructured.Unstructured) error {
	return client.WithFieldValidation(harness.K8s, metav1.FieldValidationStrict).Create(harness.Ctx, o, client.DryRunAll)
}

// megabyte is a text of 1 MiB.
var megabyte = strings.Repeat("x", 1<<20)

var _ = DescribeTable("What is wrong is refused at once, with the field and the rule",
	func(kind, name, spec, wantField, wantMessage string) {
		if name == "" {
			name = "valid"
		}
		err := apply(manifest(kind, name, spec))
		Expect(err).To(HaveOccurred())
		Expect(err.Error()).To(And(ContainSubstring(wantField), ContainSubstring(wantMessage)))
	},
	Entry("job: wrong type", "Job", "", `{image: a, replicas: two}`, "spec.replicas", "must be of type integer"),
	Entry("job: unknown field", "Job", "", `{image: a, imagee: b}`, "spec.imagee", "unknown field"),
	Entry("job: no image", "Job", "", `{}`, "spec.image", "Required value"),
	Entry("job: empty image", "Job", "", `{image: ""}`, "spec.image", "should be at least 1 chars long"),
	Entry("job: image too long", "Job", "", `{image: `+strings.Repeat("a", 513)+`}`, "spec.image", "may not be more than 512"),
	Entry("job: image with a space", "Job", "", `{image: "a b"}`, "spec.image", "should match"),
	Entry("job: name too long", "Job", strings.Repeat("a", 41), `{image: a}`, "", "1 to 40 lower-case letters"),
	Entry("job: name with a dot", "Job", "a.b", `{image: a}`, "", "1 to 40 lower-case letters"),
	Entry("job: name that begins with a digit", "Job", "1a", `{image: a}`, "", "beginning with a letter"),
	Entry("job: no replicas", "Job", "", `{image: a, replicas: 0}`, "spec.replicas", "greater than or equal to 1"),
	Entry("job: too many replicas", "Job", "", `{image: a, replicas: 257}`, "spec.replicas", "less than or equal to 256"),
	Entry("job: negative memory", "Job", "", `{image: a, resources: {cpu: 1, memory: "-1Gi"}}`, "spec.resources.memory", "must be more than 0"),
	Entry("job: no cpu at all", "Job", "", `{image: a, resources: {cpu: "0", memory: 1Gi}}`, "spec.resources.cpu", "must be more than 0"),
	Entry("job: zero GPUs of a model", "Job", "", `{image: a, resources: {cpu: 1, memory: 1Gi, gpu: {count: 0, model: A100}}}`, "spec.resources.gpu.count", "greater than or equal to 1"),
	Entry("job: cpu without memory", "Job", "", `{image: a, resources: {cpu: 1}}`, "spec.resources", "cpu and memory are given together"),
	Entry("job: GPUs without cpu", "Job", "", `{image: a, resources: {gpu: {count: 1}}}`, "spec.resources", "also says its cpu and memory"),
	Entry("job: preset and resources", "Job", "", `{image: a, preset: small, resources: {cpu: 1, memory: 1Gi}}`, "spec.resources", "not both"),
	Entry("job: more shm than memory", "Job", "", `{image: a, resources: {cpu: 1, memory: 1Gi, shm: 2Gi}}`, "spec.resources.shm", "shm is part of memory"),
	Entry("job: two sources for one mount path", "Job", "", `{image: a, volumes: [{mountPath: /a, scratch: {size: 1Gi}}, {mountPath: /a, secret: {name: s}}]}`, "spec.volumes[1]", "Duplicate value"),
	Entry("job: two sources in one volume", "Job", "", `{image: a, volumes: [{mountPath: /a, scratch: {size: 1Gi}, secret: {name: s}}]}`, "spec.volumes[0]", "exactly one source"),
	Entry("job: no source", "Job", "", `{image: a, volumes: [{mountPath: /a}]}`, "spec.volumes[0]", "exactly one source"),
	Entry("job: path with ..", "Job", "", `{image: a, volumes: [{mountPath: /a/../etc, scratch: {size: 1Gi}}]}`, "spec.volumes[0].mountPath", "must not contain '.' or '..'"),
	Entry("job: path of the system", "Job", "", `{image: a, volumes: [{mountPath: /proc/x, scratch: {size: 1Gi}}]}`, "spec.volumes[0].mountPath", "belongs to the system"),
	Entry("job: relative path", "Job", "", `{image: a, volumes: [{mountPath: data, scratch: {size: 1Gi}}]}`, "spec.volumes[0].mountPath", "should match"),
	Entry("job: path with empty segments", "Job", "", `{image: a, volumes: [{mountPath: /a//b, scratch: {size: 1Gi}}]}`, "spec.volumes[0].mountPath", "empty segments"),
	Entry("job: negative scratch space", "Job", "", `{image: a, volumes: [{mountPath: /a, scratch: {size: "-1Gi"}}]}`, "spec.volumes[0].scratch.size", "must be more than 0"),
	Entry("job: no scratch space at all", "Job", "", `{image: a, volumes: [{mountPath: /a, scratch: {size: "0"}}]}`, "spec.volumes[0].scratch.size", "must be more than 0"),
	Entry("job: 1 MB in one variable", "Job", "", `{image: a, env: [{name: A, value: `+megabyte+`}]}`, "spec.env[0].value", "may not be more than 32768"),
	Entry("job: env too large together", "Job", "", `{image: a, env: [{name: A, value: `+megabyte[:30000]+`}, {name: B, value: `+megabyte[:30000]+`}, {name: C, value: `+megabyte[:30000]+`}]}`, "spec.env", "more than 64 KiB together"),
	Entry("job: a variable twice", "Job", "", `{image: a, env: [{name: A, value: x}, {name: A, value: y}]}`, "spec.env[1]", "Duplicate value"),
	Entry("job: a variable of Soma", "Job", "", `{image: a, env: [{name: SOMA_RANK, value: x}]}`, "spec.env[0].name", "belong to Soma"),
	Entry("job: a variable with value and secret", "Job", "", `{image: a, env: [{name: A, value: x, secret: {name: s, key: k}}]}`, "spec.env[0]", "not both"),
	Entry("job: a variable's name with a dash", "Job", "", `{image: a, env: [{name: A-B}]}`, "spec.env[0].name", "should match"),
	Entry("job: too many arguments", "Job", "", `{image: a, args: [`+strings.Repeat("x,", 257)+`]}`, "spec.args", "must have at most 256 items"),
	Entry("job: port out of range", "Job", "", `{image: a, http: {port: 65536}}`, "spec.http.port", "less than or equal to 65535"),
	Entry("job: unknown priority", "Job", "", `{image: a, priority: Urgent}`, "spec.priority", "Unsupported value"),
	Entry("job: unknown restart policy", "Job", "", `{image: a, restart: {policy: Sometimes}}`, "spec.restart.policy", "Unsupported value"),
	Entry("job: always restarted without a life span", "Job", "", `{image: a, restart: {policy: Always}}`, "spec.restart", "would never end"),
	Entry("job: negative retries", "Job", "", `{image: a, restart: {maxRetries: -1}}`, "spec.restart.maxRetries", "greater than or equal to 0"),
	Entry("job: negative time-to-live", "Job", "", `{image: a, ttlSecondsAfterFinished: -1}`, "spec.ttlSecondsAfterFinished", "greater than or equal to 0"),
	Entry("job: no life span at all", "Job", "", `{image: a, lifeSpanSeconds: 0}`, "spec.lifeSpanSeconds", "greater than or equal to 1"),
	Entry("job: no time to end", "Job", "", `{image: a, gracePeriodSeconds: 0}`, "spec.gracePeriodSeconds", "greater than or equal to 1"),
	Entry("job: too long to end", "Job", "", `{image: a, gracePeriodSeconds: 3601}`, "spec.gracePeriodSeconds", "less than or equal to 3600"),
	Entry("job: resources that ask for nothing", "Job", "", `{image: a, resources: {}}`, "spec.resources", "at least 1 properties"),
	Entry("job: no memory at all", "Job", "", `{image: a, resources: {cpu: 1, memory: "0"}}`, "spec.resources.memory", "must be more than 0"),
	Entry("job: no shm at all", "Job", "", `{image: a, resources: {cpu: 1, memory: 1Gi, shm: "0"}}`, "spec.resources.shm", "must be more than 0"),
	Entry("job: GPUs beside a preset", "Job", "", `{image: a, preset: small, resources: {gpu: {count: 1}}}`, "spec.resources", "not both"),
	Entry("job: too many GPUs", "Job", "", `{image: a, resources: {cpu: 1, memory: 1Gi, gpu: {count: 65}}}`, "spec.resources.gpu.count", "less than or equal to 64"),
	Entry("job: a GPU model with a space", "Job", "", `{image: a, resources: {cpu: 1, memory: 1Gi, gpu: {count: 1, model: "A 100"}}}`, "spec.resources.gpu.model", "should match"),
	Entry("job: path with .", "Job", "", `{image: a, volumes: [{mountPath: /a/./b, scratch: {size: 1Gi}}]}`, "spec.volumes[0].mountPath", "must not contain '.' or '..'"),
	Entry("job: path that ends with /", "Job", "", `{image: a, volumes: [{mountPath: /a/, scratch: {size: 1Gi}}]}`, "spec.volumes[0].mountPath", "without '/' at its end"),
	Entry("job: path with a colon", "Job", "", `{image: a, volumes: [{mountPath: "/a:b", scratch: {size: 1Gi}}]}`, "spec.volumes[0].mountPath", "should match"),
	Entry("job: path in place of /etc", "Job", "", `{image: a, volumes: [{mountPath: /etc, scratch: {size: 1Gi}}]}`, "spec.volumes[0].mountPath", "belongs to the system"),
	Entry("job: the key of a secret with a slash", "Job", "", `{image: a, volumes: [{mountPath: /a, secret: {name: s, key: a/b}}]}`, "spec.volumes[0].secret.key", "should match"),
	Entry("job: a variable of a secret without a key", "Job", "", `{image: a, env: [{name: A, secret: {name: s}}]}`, "spec.env[0].secret.key", "Required value"),
	Entry("job: relative working directory", "Job", "", `{image: a, workingDir: work}`, "spec.workingDir", "should match"),
	Entry("job: working directory with ..", "Job", "", `{image: a, workingDir: /data/../etc}`, "spec.workingDir", "must not contain '.' or '..'"),
	Entry("job: working directory with .", "Job", "", `{image: a, workingDir: /./work}`, "spec.workingDir", "must not contain '.' or '..'"),
	Entry("job: a key that no secret can have", "Job", "", `{image: a, env: [{name: A, secret: {name: s, key: .}}]}`, "spec.env[0].secret.key", "should match"),
	Entry("job: a key that leads out of its folder", "Job", "", `{image: a, volumes: [{mountPath: /a, secret: {name: s, key: ..}}]}`, "spec.volumes[0].secret.key", "should match"),
	Entry("job: a key that begins with ..", "Job", "", `{image: a, volumes: [{mountPath: /a, secret: {name: s, key: ..data}}]}`, "spec.volumes[0].secret.key", "should match"),
	Entry("job: command and args too large together", "Job", "", `{image: a, command: [`+strings.Repeat(megabyte[:16000]+",", 2)+`], args: [`+strings.Repeat(megabyte[:16000]+",", 3)+`]}`, "spec.command", "more than 64 KiB together"),
	Entry("job: port 0", "Job", "", `{image: a, http: {port: 0}}`, "spec.http.port", "greater than or equal to 1"),
	Entry("job: no schedule timeout at all", "Job", "", `{image: a, scheduleTimeoutSeconds: 0}`, "spec.scheduleTimeoutSeconds", "greater than or equal to 1"),
	Entry("job: schedule timeout too long", "Job", "", `{image: a, scheduleTimeoutSeconds: 2592001}`, "spec.scheduleTimeoutSeconds", "less than or equal to 2592000"),
	Entry("job: life span too long", "Job", "", `{image: a, lifeSpanSeconds: 31536001}`, "spec.lifeSpanSeconds", "less than or equal to 31536000"),
	Entry("job: too many retries", "Job", "", `{image: a, restart: {maxRetries: 101}}`, "spec.restart.maxRetries", "less than or equal to 100"),
	Entry("job: rules without a policy", "Job", "", `{image: a, restart: {rules: [{exitCodes: [42], action: Fail}]}}`, "spec.restart.rules", "they need the policy OnFailure or Always"),
	Entry("job: a rule about nothing", "Job", "", `{image: a, restart: {policy: OnFailure, rules: [{action: Fail}]}}`, "spec.restart.rules[0]", "give one of the two"),
	Entry("job: a rule about both", "Job", "", `{image: a, restart: {policy: OnFailure, rules: [{categories: [Image], exitCodes: [42], action: Fail}]}}`, "spec.restart.rules[0]", "give one of the two"),
	Entry("job: a rule about success", "Job", "", `{image: a, restart: {policy: OnFailure, rules: [{exitCodes: [0], action: Fail}]}}`, "spec.restart.rules[0].exitCodes[0]", "greater than or equal to 1"),
	Entry("job: a rule about an unknown category", "Job", "", `{image: a, restart: {policy: OnFailure, rules: [{categories: [Bad], action: Fail}]}}`, "spec.restart.rules[0].categories[0]", "Unsupported value"),
	Entry("job: a rule without an action", "Job", "", `{image: a, restart: {policy: OnFailure, rules: [{categories: [Image]}]}}`, "spec.restart.rules[0].action", "Required value"),
	Entry("job: retries of a rule that fails", "Job", "", `{image: a, restart: {policy: OnFailure, rules: [{categories: [Image], action: Fail, maxRetries: 3}]}}`, "spec.restart.rules[0].maxRetries", "leave maxRetries out"),
	Entry("job: pauses of a rule that fails", "Job", "", `{image: a, restart: {policy: OnFailure, rules: [{categories: [Image], action: Fail, backoffSeconds: 3}]}}`, "spec.restart.rules[0].backoffSeconds", "leave backoffSeconds and maxBackoffSeconds out"),
	Entry("job: a rule's longest pause below its first", "Job", "", `{image: a, restart: {policy: OnFailure, rules: [{categories: [Image], action: Retry, backoffSeconds: 3, maxBackoffSeconds: 2}]}}`, "spec.restart.rules", "the first pause of a rule is longer than its longest"),
	Entry("job: a rule's longest pause below the job's first", "Job", "", `{image: a, restart: {policy: OnFailure, backoffSeconds: 3, rules: [{categories: [Image], action: Retry, maxBackoffSeconds: 2}]}}`, "spec.restart.rules", "the first pause of a rule is longer than its longest"),
	Entry("job: a rule's first pause beyond the job's longest", "Job", "", `{image: a, restart: {policy: OnFailure, rules: [{exitCodes: [75], action: RetryFree, backoffSeconds: 301}]}}`, "spec.restart.rules", "the first pause of a rule is longer than its longest"),
	Entry("job: too many rules", "Job", "", `{image: a, restart: {policy: OnFailure, rules: [`+strings.Repeat("{categories: [Image], action: Fail},", 17)+`]}}`, "spec.restart.rules", "must have at most 16 items"),
	Entry("job: a first pause beyond the longest", "Job", "", `{image: a, restart: {policy: OnFailure, backoffSeconds: 301}}`, "spec.restart.backoffSeconds", "longer than the longest"),
	Entry("job: a longest pause below the first", "Job", "", `{image: a, restart: {policy: OnFailure, maxBackoffSeconds: 1}}`, "spec.restart.backoffSeconds", "longer than the longest"),
	Entry("job: a pause too long", "Job", "", `{image: a, restart: {policy: OnFailure, backoffSeconds: 86401, maxBackoffSeconds: 86400}}`, "spec.restart.backoffSeconds", "less than or equal to 86400"),
	Entry("job: a tag twice", "Job", "", `{image: a, tags: [t, t]}`, "spec.tags[1]", "Duplicate value"),
	Entry("job: too many tags", "Job", "", `{image: a, tags: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]}`, "spec.tags", "must have at most 16 items"),
	Entry("job: an argument too long", "Job", "", `{image: a, args: [`+megabyte[:16385]+`]}`, "spec.args[0]", "may not be more than 16384"),
	Entry("job: a tag with a space", "Job", "", `{image: a, tags: ["a b"]}`, "spec.tags[0]", "should match"),

	Entry("project: name too long", "Project", strings.Repeat("a", 49), `{}`, "", "1 to 48 lower-case letters"),
	Entry("project: name of the system", "Project", "kube-system", `{}`, "", "belongs to a namespace of the system"),
	Entry("project: name of Soma's own namespace", "Project", "soma-system", `{}`, "", "belongs to a namespace of the system"),
	Entry("project: unknown field", "Project", "", `{quotas: a}`, "spec.quotas", "unknown field"),
	Entry("project: organization with capitals", "Project", "", `{organization: ACME}`, "spec.organization", "should match"),
	Entry("project: description too long", "Project", "", `{description: `+strings.Repeat("a", 1025)+`}`, "spec.description", "may not be more than 1024"),

	Entry("quota: no amounts", "Quota", "", `{}`, "spec.nominal", "Required value"),
	Entry("quota: negative cpu", "Quota", "", `{nominal: {cpu: "-1"}}`, "spec.nominal.cpu", "must not be negative"),
	Entry("quota: negative GPUs", "Quota", "", `{nominal: {gpus: -1}}`, "spec.nominal.gpus", "greater than or equal to 0"),
	Entry("quota: not an amount", "Quota", "", `{nominal: {memory: much}}`, "spec.nominal.memory", "nvalid"),
	Entry("quota: a model twice", "Quota", "", `{nominal: {gpuModels: [{model: A100, count: 1}, {model: A100, count: 2}]}}`, "spec.nominal.gpuModels[1]", "Duplicate value"),
	Entry("quota: a budget of nothing", "Quota", "", `{nominal: {}, budgets: [{name: a, period: Day, action: Notify}]}`, "spec.budgets[0].gpuHours", "GPU-hours or of money"),
	Entry("quota: a budget of both", "Quota", "", `{nominal: {}, budgets: [{name: a, period: Day, action: Notify, gpuHours: 1, money: {amount: "1", currency: EUR}}]}`, "spec.budgets[0].gpuHours", "GPU-hours or of money"),
	Entry("quota: a budget of no money", "Quota", "", `{nominal: {}, budgets: [{name: a, period: Day, action: Notify, money: {amount: "0.00", currency: EUR}}]}`, "spec.budgets[0].money.amount", "must be more than 0"),
	Entry("quota: a budget without a consequence", "Quota", "", `{nominal: {}, budgets: [{name: a, period: Day, gpuHours: 1}]}`, "spec.budgets[0].action", "Required value"),
	Entry("quota: an unknown period", "Quota", "", `{nominal: {}, budgets: [{name: a, period: Year, gpuHours: 1, action: Notify}]}`, "spec.budgets[0].period", "Unsupported value"),
	Entry("quota: a warning at all of it", "Quota", "", `{nominal: {}, budgets: [{name: a, period: Day, gpuHours: 1, action: Notify, warnings: [100]}]}`, "spec.budgets[0].warnings[0]", "less than or equal to 99"),
	Entry("quota: a budget twice", "Quota", "", `{nominal: {}, budgets: [{name: a, period: Day, gpuHours: 1, action: Notify}, {name: a, period: Week, gpuHours: 1, action: Notify}]}`, "spec.budgets[1]", "Duplicate value"),
	Entry("quota: borrows without a parent", "Quota", "", `{nominal: {}, borrowing: {gpus: 1}}`, "spec.parent", "only a quota with a parent"),
	Entry("quota: borrows a number of jobs", "Quota", "", `{parent: all, nominal: {}, borrowing: {runningJobs: 1}}`, "spec.borrowing.runningJobs", "neither borrowed nor lent"),
	Entry("quota: lends a number of jobs", "Quota", "", `{parent: all, nominal: {}, lending: {runningJobs: 1}}`, "spec.lending.runningJobs", "neither borrowed nor lent"),
	Entry("quota: a turn too short", "Quota", "", `{nominal: {}, preemption: {quantumSeconds: 59}}`, "spec.preemption.quantumSeconds", "0 switches turns off"),
	Entry("quota: a turn of less than nothing", "Quota", "", `{nominal: {}, preemption: {quantumSeconds: -1}}`, "spec.preemption.quantumSeconds", "greater than or equal to 0"),
	Entry("quota: name too long", "Quota", strings.Repeat("a", 64), `{nominal: {}}`, "", "at most 63 characters"),

	Entry("cluster: a preset twice", "Cluster", "", `{presets: [{name: a, cpu: 1, memory: 1Gi}, {name: a, cpu: 2, memory: 1Gi}]}`, "spec.presets[1]", "Duplicate value"),
	Entry("cluster: a preset without memory", "Cluster", "", `{presets: [{name: a, cpu: 1}]}`, "spec.presets[0].memory", "Required value"),
	Entry("cluster: a preset with zero GPUs", "Cluster", "", `{presets: [{name: a, cpu: 1, memory: 1Gi, gpu: {count: 0, model: A100}}]}`, "spec.presets[0].gpu.count", "greater than or equal to 1"),
	Entry("cluster: a negative price", "Cluster", "", `{prices: {currency: EUR, cpuHour: "-1"}}`, "spec.prices.cpuHour", "should match"),
	Entry("cluster: a quarantine of a negative number of jobs", "Cluster", "", `{quarantine: {failedJobs: -1}}`, "spec.quarantine.failedJobs", "greater than or equal to 0"),
	Entry("cluster: a quarantine without an end", "Cluster", "", `{quarantine: {durationSeconds: 0}}`, "spec.quarantine.durationSeconds", "greater than or equal to 1"),
	Entry("cluster: a quarantine that looks back too far", "Cluster", "", `{quarantine: {windowSeconds: 604801}}`, "spec.quarantine.windowSeconds", "less than or equal to 604800"),
	Entry("cluster: a price of energy without a currency", "Cluster", "", `{energy: {pricePerKWh: "0.30"}}`, "spec.energy", "give prices.currency"),
	Entry("cluster: a price of a schedule without a currency", "Cluster", "", `{energy: {schedules: [{name: a, pricePerKWh: "0.30", periods: [{start: "22:00", end: "06:00"}]}]}}`, "spec.energy", "give prices.currency"),
	Entry("cluster: more CO2 than any coal", "Cluster", "", `{energy: {co2GramsPerKWh: 5001}}`, "spec.energy.co2GramsPerKWh", "less than or equal to 5000"),
	Entry("cluster: a time zone with a space", "Cluster", "", `{energy: {timeZone: "New York"}}`, "spec.energy.timeZone", "should match"),
	Entry("cluster: a schedule twice", "Cluster", "", `{energy: {schedules: [{name: a, periods: [{start: "22:00", end: "06:00"}]}, {name: a, periods: [{start: "22:00", end: "06:00"}]}]}}`, "spec.energy.schedules[1]", "Duplicate value"),
	Entry("cluster: a schedule without periods", "Cluster", "", `{energy: {schedules: [{name: a}]}}`, "spec.energy.schedules[0].periods", "Required value"),
	Entry("cluster: a schedule of no periods", "Cluster", "", `{energy: {schedules: [{name: a, periods: []}]}}`, "spec.energy.schedules[0].periods", "at least 1 items"),
	Entry("cluster: a period that begins at 24:00", "Cluster", "", `{energy: {schedules: [{name: a, periods: [{start: "24:00", end: "06:00"}]}]}}`, "spec.energy.schedules[0].periods[0].start", "should match"),
	Entry("cluster: a period without its zero", "Cluster", "", `{energy: {schedules: [{name: a, periods: [{start: "22:00", end: "6:00"}]}]}}`, "spec.energy.schedules[0].periods[0].end", "at least 5 chars"),
	Entry("cluster: a day that there is not", "Cluster", "", `{energy: {schedules: [{name: a, periods: [{weekdays: [Someday], start: "22:00", end: "06:00"}]}]}}`, "spec.energy.schedules[0].periods[0].weekdays[0]", "Unsupported value"),
	Entry("cluster: a preset without power", "Cluster", "", `{presets: [{name: a, cpu: 1, memory: 1Gi, powerWatts: -1}]}`, "spec.presets[0].powerWatts", "greater than or equal to 1"),
	Entry("cluster: unknown effect", "Cluster", "", `{tolerations: [{key: a, effect: Never}]}`, "spec.tolerations[0].effect", "Unsupported value"),
	Entry("cluster: name too long", "Cluster", strings.Repeat("a", 49), `{}`, "", "at most 48 characters"),
)

var _ = DescribeTable("What depends on the world is accepted",
	func(kind, spec string) { Expect(apply(manifest(kind, "valid", spec))).To(Succeed()) },
	Entry("job: as little as possible", "Job", `{image: a}`),
	Entry("job: preset, cluster and secret that do not exist as yet", "Job",
		`{image: none/such, preset: none, cluster: none, env: [{name: A, secret: {name: none, key: k}}]}`),
	Entry("job: more than any node has", "Job", `{image: a, resources: {cpu: 9999, memory: 999Ti, gpu: {count: 64}}}`),
	Entry("job: shm beside a preset", "Job", `{image: a, preset: small, resources: {shm: 1Gi}}`),
	Entry("job: always restarted within a life span", "Job", `{image: a, restart: {policy: Always}, lifeSpanSeconds: 60}`),
	Entry("job: rules with pauses of their own", "Job", `{image: a, restart: {policy: OnFailure, backoffSeconds: 600, maxBackoffSeconds: 600, rules: [{exitCodes: [75], action: RetryFree, backoffSeconds: 0, maxBackoffSeconds: 0}, {categories: [Image], action: Retry, backoffSeconds: 60}, {categories: [NodeLost], action: Retry, maxBackoffSeconds: 86400}]}}`),
	Entry("job: rules about what follows failures", "Job", `{image: a, restart: {policy: OnFailure, backoffSeconds: 0, maxBackoffSeconds: 0, rules: [{exitCodes: [1, 255], action: Fail}, {categories: [NodeLost, GPULost, Evicted, Preempted, Image, Command, Removed, OutOfMemory, OutOfScratch, ExitCode], action: RetryFree, maxRetries: 1000}]}}`),
	Entry("job: keys of secrets with dots", "Job", `{image: a, env: [{name: A, secret: {name: s, key: .netrc}}], volumes: [{mountPath: /a, secret: {name: s, key: a..b.c}}]}`),
	Entry("job: a working directory with dots in it", "Job", `{image: a, workingDir: /a..b/.c}`),
	Entry("job: command and args as large as can be", "Job", `{image: a, command: [`+strings.Repeat(megabyte[:16384]+",", 2)+`], args: [`+strings.Repeat(megabyte[:16384]+",", 2)+`]}`),
	Entry("job: a path below /etc", "Job", `{image: a, volumes: [{mountPath: /etc/app, secret: {name: s}}]}`),
	Entry("project: a quota that does not exist as yet", "Project", `{quota: none}`),
	Entry("cluster: a kubeconfig that does not exist as yet", "Cluster", `{kubeconfigSecret: {name: none}}`),
	Entry("cluster: energy with all that can be said of it", "Cluster", `{prices: {currency: EUR}, energy: {timeZone: America/Argentina/Buenos_Aires, pricePerKWh: "0.30", co2GramsPerKWh: 0, schedules: [{name: a, pricePerKWh: "0", co2GramsPerKWh: 5000, periods: [{weekdays: [Saturday, Sunday], start: "00:00", end: "24:00"}, {start: "22:00", end: "06:00"}]}]}}`),
	Entry("cluster: CO2 and schedules without prices", "Cluster", `{energy: {co2GramsPerKWh: 400, schedules: [{name: a, periods: [{start: "22:00", end: "06:00"}]}]}}`),
	Entry("quota: nothing", "Quota", `{nominal: {}}`),
	Entry("quota: turns", "Quota", `{nominal: {}, preemption: {quantumSeconds: 60}}`),
	Entry("quota: no turns", "Quota", `{nominal: {}, preemption: {lowerPriority: Any, quantumSeconds: 0}}`),
	Entry("quota: budgets", "Quota", `{nominal: {}, budgets: [{name: a, period: Week, gpuHours: 1, action: Notify}, {name: b, period: Month, money: {amount: "0.50", currency: EUR}, action: Cancel, warnings: [50, 90]}]}`),
)

var _ = It("takes a job with everything at its bounds, far below what can be stored", func() {
	list := func(n int, item string) string { return "[" + strings.Repeat(item+",", n) + "]" }
	numbered := func(n int, format string) string {
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprintf(format, i)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	x := func(n int) string { return megabyte[:n] }
	job := manifest("Job", x(40), `{image: `+x(512)+`, imagePullSecret: `+x(253)+`, description: `+x(1024)+`, workingDir: /`+x(511)+
		`, tags: `+numbered(16, x(253)+"%03d")+`, command: `+list(64, x(512))+`, args: `+list(64, x(512))+
		`, env: `+numbered(128, "{name: "+x(125)+"%03d, value: "+x(512)+"}")+
		`, volumes: `+numbered(24, "{mountPath: /"+x(508)+"%03d, secret: {name: "+x(253)+", key: "+x(253)+"}}")+`}`)
	Expect(apply(job)).To(Succeed())
	stored, err := job.MarshalJSON()
	Expect(err).NotTo(HaveOccurred())
	// Its status, journal included, is less than 200 KiB, and storage takes 1.5 MB.
	Expect(len(stored)).To(BeNumerically("<", 400<<10))
})

// full is a job with every field that cannot be changed.
const full = `
image: a
imagePullSecret: s
command: [c]
args: [a]
env: [{name: A, value: x}]
workingDir: /work
cluster: local
energySchedule: night
resources: {cpu: 1, memory: 1Gi}
volumes: [{mountPath: /data, scratch: {size: 1Gi}}]
http: {port: 8080}
replicas: 2
submittedBy: alice
cancel: true
cancelledBy: alice
`

var _ = DescribeTable("What would lie about the past cannot be changed",
	func(kind, before, field, after, wantMessage string) {
		o := manifest(kind, harness.Unique("past"), before)
		harness.Create(o)
		path := append([]string{"spec"}, strings.Split(field, ".")...)
		for _, value := range []string{after, ""} {
			changed := o.DeepCopy()
			if value == "" {
				unstructured.RemoveNestedField(changed.Object, path...)
			} else {
				var parsed any
				Expect(yaml.Unmarshal([]byte(value), &parsed)).To(Succeed())
				Expect(unstructured.SetNestedField(changed.Object, parsed, path...)).To(Succeed())
			}
			err := harness.K8s.Patch(harness.Ctx, changed, client.MergeFrom(o))
			Expect(err).To(HaveOccurred(), "%s became %q", field, value)
			Expect(err.Error()).To(MatchRegexp(`spec(\.|: .*\b)`+field), "the refusal names the field")
			if value != "" {
				Expect(err.Error()).To(ContainSubstring(wantMessage))
			}
		}
	},
	Entry("job: image", "Job", full, "image", `b`, "instead of changing: image"),
	Entry("job: imagePullSecret", "Job", full, "imagePullSecret", `t`, "instead of changing: imagePullSecret"),
	Entry("job: command", "Job", full, "command", `[d]`, "instead of changing: command"),
	Entry("job: args", "Job", full, "args", `[b]`, "instead of changing: args"),
	Entry("job: env", "Job", full, "env", `[{name: A, value: z}]`, "instead of changing: env"),
	Entry("job: workingDir", "Job", full, "workingDir", `/other`, "instead of changing: workingDir"),
	Entry("job: cluster", "Job", full, "cluster", `other`, "instead of changing: cluster"),
	Entry("job: preset", "Job", "{image: a, preset: small}", "preset", `large`, "instead of changing: preset"),
	Entry("job: energySchedule", "Job", full, "energySchedule", `day`, "instead of changing: energySchedule"),
	Entry("job: resources", "Job", full, "resources", `{cpu: "2", memory: 1Gi}`, "instead of changing: resources"),
	Entry("job: volumes", "Job", full, "volumes", `[{mountPath: /data, scratch: {size: 2Gi}}]`, "instead of changing: volumes"),
	Entry("job: http", "Job", full, "http", `{port: 8081}`, "instead of changing: http"),
	Entry("job: replicas", "Job", full, "replicas", `3`, "instead of changing: replicas"),
	Entry("job: submittedBy", "Job", full, "submittedBy", `bob`, "submittedBy is recorded"),
	Entry("job: cancel", "Job", full, "cancel", `false`, "a cancelled job cannot be brought back"),
	Entry("job: cancelledBy", "Job", full, "cancelledBy", `bob`, "cancelledBy is recorded"),
	Entry("project: organization", "Project", "{organization: acme}", "organization", `other`, "organization cannot be changed"),
)

var _ = It("lets change what steers a job", func() {
	job := harness.NewJob("default", harness.Unique("steered"))
	harness.Create(job)
	before := job.DeepCopy()
	yes, span := true, int64(60)
	job.Spec.Description, job.Spec.Suspend, job.Spec.Cancel, job.Spec.LifeSpanSeconds = "text", &yes, &yes, &span
	job.Spec.Tags, job.Spec.Priority, job.Spec.ScheduleTimeoutSeconds = []string{"tag"}, v1alpha1.PriorityHigh, &span
	job.Spec.Restart = &v1alpha1.Restart{Policy: v1alpha1.RestartOnFailure}
	Expect(harness.K8s.Patch(harness.Ctx, job, client.MergeFrom(before))).To(Succeed())
})
