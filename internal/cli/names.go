package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/energy"
)

// recordedNames is the number of newest records whose jobs are offered beside those that have objects.
const recordedNames = 200

// printed asks the API server for the columns that it prints of the objects, without the objects: a small part of a list.
func (a *app) printed(ctx context.Context, gvr schema.GroupVersionResource, namespace, labels, fields string, most int) (*metav1.Table, error) {
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	prefix := "/apis/" + gvr.Group
	if gvr.Group == "" {
		prefix = "/api"
	}
	text, err := body(c.core.Get().AbsPath(prefix, gvr.Version).NamespaceIfScoped(namespace, namespace != "").Resource(gvr.Resource).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Param("includeObject", string(metav1.IncludeNone)).
		Param("limit", strconv.Itoa(most)).Param("labelSelector", labels).Param("fieldSelector", fields).Do(ctx))
	if err != nil {
		return nil, err
	}
	table := &metav1.Table{}
	return table, json.Unmarshal(text, table)
}

// cells are the texts of a column, "" everywhere where there is no such column.
func cells(table *metav1.Table, column string) []string {
	at := slices.IndexFunc(table.ColumnDefinitions, func(d metav1.TableColumnDefinition) bool { return d.Name == column })
	texts := make([]string, len(table.Rows))
	for i, row := range table.Rows {
		if at >= 0 && at < len(row.Cells) {
			texts[i], _ = row.Cells[at].(string)
		}
	}
	return texts
}

// described puts a description behind a word, where there is one.
func described(word, description string) string {
	if description == "" {
		return word
	}
	return word + "\t" + shorten(description, 80)
}

// jobNames offers the current project's jobs in the given phases, but those that are named already.
func (a *app) jobNames(in ...v1alpha1.JobPhase) completer {
	return offer(func(ctx context.Context, args []string, _ string) ([]string, error) { return a.findJobs(ctx, args, in) })
}

// allJobNames offers also jobs that only the history knows.
func (a *app) allJobNames() completer {
	return offer(func(ctx context.Context, args []string, _ string) ([]string, error) {
		words, err := a.findJobs(ctx, args, phases)
		if err != nil {
			return nil, err
		}
		seen := map[string]bool{}
		for _, word := range words {
			name, _, _ := strings.Cut(word, "\t")
			seen[name] = true
		}
		records, err := a.printed(ctx, jobRecords, a.clients.project, "", "", recordedNames)
		if err != nil {
			return words, nil //nolint:nilerr // without the history there are those that have objects
		}
		states := cells(records, "Phase")
		for i, name := range cells(records, "Job") {
			if name != "" && !seen[name] {
				seen[name] = true
				words = append(words, described(name, states[i]+", its object is gone"))
			}
		}
		return words, nil
	})
}

func (a *app) findJobs(ctx context.Context, but []string, in []v1alpha1.JobPhase) ([]string, error) {
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	table, err := a.printed(ctx, jobs, c.project, "", filter{states: in}.selector(), maxCompletions)
	if err != nil {
		return nil, err
	}
	states, reasons := cells(table, "Phase"), cells(table, "Reason")
	var words []string
	for i, name := range cells(table, "Name") {
		phase := v1alpha1.JobPhase(stateWord(v1alpha1.JobPhase(states[i])))
		if slices.Contains(in, phase) && !slices.Contains(but, name) {
			words = append(words, described(name, stateText(phase, reasons[i])))
		}
	}
	return words, nil
}

// ofJob offers what find makes of the job that is the first argument.
func (a *app) ofJob(find func(job *v1alpha1.Job) []string) completer {
	return offer(func(ctx context.Context, args []string, _ string) ([]string, error) {
		if len(args) == 0 {
			return nil, nil
		}
		job, _, err := a.getJob(ctx, args[0])
		if err != nil {
			return nil, err
		}
		return find(job), nil
	})
}

// attemptsOf are the numbers of a job's attempts, the newest first.
func attemptsOf(job *v1alpha1.Job) []string {
	ends := map[int32]string{}
	for _, at := range job.Status.Attempts {
		ends[at.Number] = string(at.Reason)
	}
	var words []string
	for n := job.Status.Attempt; n > 0; n-- {
		words = append(words, described(fmt.Sprint(n), ends[n]))
	}
	return words
}

// ranksOf are the ranks of a job's replicas.
func ranksOf(job *v1alpha1.Job) []string {
	words := make([]string, job.Spec.ReplicaCount())
	for rank := range words {
		words[rank] = strconv.Itoa(rank)
	}
	return words
}

// portsOf are the ports that a job is known to serve.
func portsOf(job *v1alpha1.Job) []string {
	if job.Spec.HTTP == nil {
		return nil
	}
	return []string{described(strconv.Itoa(int(job.Spec.HTTP.Port)), "HTTP")}
}

// owners offers the users whose jobs there are.
func (a *app) owners() completer {
	return offer(func(ctx context.Context, _ []string, _ string) ([]string, error) {
		c, err := a.connect()
		if err != nil {
			return nil, err
		}
		table, err := a.printed(ctx, jobs, c.project, "", "", maxCompletions)
		if err != nil {
			return nil, err
		}
		return append([]string{"ME\tyourself"}, distinct(cells(table, "Owner"))...), nil
	})
}

// ofJobs offers a field of the current project's jobs.
func (a *app) ofJobs(field func(row) []string) completer {
	return offer(func(ctx context.Context, _ []string, _ string) ([]string, error) {
		c, err := a.connect()
		if err != nil {
			return nil, err
		}
		rows, err := a.listJobRows(ctx, c.project, "")
		if err != nil {
			return nil, err
		}
		var words []string
		for _, r := range rows {
			words = append(words, field(r)...)
		}
		return distinct(words), nil
	})
}

func tagsOf(r row) []string  { return r.tags }
func imageOf(r row) []string { return []string{r.image} }

// distinct sorts words and drops empty and repeated ones.
func distinct(words []string) []string {
	words = slices.DeleteFunc(slices.Clone(words), func(word string) bool { return word == "" })
	slices.Sort(words)
	return slices.Compact(words)
}

// objectNames offers the names of cluster-wide objects.
func (a *app) objectNames(gvr schema.GroupVersionResource) completer {
	return offer(func(ctx context.Context, _ []string, _ string) ([]string, error) {
		table, err := a.printed(ctx, gvr, "", "", "", maxCompletions)
		if err != nil {
			return nil, err
		}
		states := cells(table, "Phase")
		words := cells(table, "Name")
		for i := range words {
			words[i] = described(words[i], states[i])
		}
		return words, nil
	})
}

// presetNames offers the presets of all clusters.
func (a *app) presetNames() completer {
	return offer(func(ctx context.Context, _ []string, _ string) ([]string, error) {
		var words []string
		err := a.eachCluster(ctx, func(cl *v1alpha1.Cluster) {
			for i := range cl.Spec.Presets {
				p := &cl.Spec.Presets[i]
				size := p.CPU.String() + " CPU, " + p.Memory.String()
				if p.GPU != nil {
					size += ", GPU " + gpuText(p.GPU)
				}
				words = append(words, described(p.Name, size))
			}
		})
		return distinct(words), err
	})
}

// energyScheduleNames offers the energy schedules of all clusters.
func (a *app) energyScheduleNames() completer {
	return offer(func(ctx context.Context, _ []string, _ string) ([]string, error) {
		var words []string
		err := a.eachCluster(ctx, func(cl *v1alpha1.Cluster) { words = append(words, energy.Names(cl.Spec.Energy)...) })
		return distinct(words), err
	})
}

// gpuWords offers one GPU of each model, and of any.
func (a *app) gpuWords() completer {
	return offer(func(ctx context.Context, _ []string, _ string) ([]string, error) {
		words := []string{"1"}
		err := a.eachCluster(ctx, func(cl *v1alpha1.Cluster) {
			for _, pool := range cl.Status.Pools {
				if pool.GPUModel != "" {
					words = append(words, "1:"+pool.GPUModel)
				}
			}
		})
		return distinct(words), err
	})
}

func (a *app) eachCluster(ctx context.Context, see func(*v1alpha1.Cluster)) error {
	found, err := a.list(ctx, clusters, "", metav1.ListOptions{}, maxCompletions)
	if err != nil {
		return err
	}
	for i := range found.Items {
		if cl, err := decode[v1alpha1.Cluster](&found.Items[i]); err == nil { // one bad object does not hide the others
			see(cl)
		}
	}
	return nil
}

// contextNames offers the contexts of the kubeconfig.
func (a *app) contextNames() completer {
	return offer(func(context.Context, []string, string) ([]string, error) {
		config, err := a.kube.load().RawConfig()
		if err != nil {
			return nil, err
		}
		var words []string
		for name, c := range config.Contexts {
			words = append(words, described(name, cmp.Or(c.Namespace, "default")+" on "+c.Cluster))
		}
		return distinct(words), nil
	})
}
