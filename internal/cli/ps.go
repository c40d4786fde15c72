package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/printers"

	review "github.com/soma-platform/soma/api/access/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// psFlags are the flags of `soma ps`.
type psFlags struct {
	all, allProjects, watch, quiet bool
	states, tags                   []string
	owner, since, until            string
	limit                          int
	output                         output
}

func newPs(a *app) *cobra.Command {
	f := &psFlags{}
	c := &cobra.Command{
		Use:     "ps",
		Aliases: []string{"ls"},
		Short:   "List jobs",
		Long: `List the jobs of the current project that wait, run or are suspended.

With --all also those that ended, also when their objects are gone and only the history knows them. --state, --since and
--until look at ended jobs too.`,
		Example: a.examples(
			"ps", "what waits and runs",
			"ps -a --owner ME --since 7d", "all of your jobs of the last week",
			"ps --state failed --tag experiment-7", "what failed of an experiment",
			"ps -w", "as it changes",
		),
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(c *cobra.Command, _ []string) error { return a.ps(c, f) },
	}
	flags := c.Flags()
	flags.BoolVarP(&f.all, "all", "a", false, "also jobs that ended, from the history where their objects are gone")
	flags.BoolVarP(&f.allProjects, "all-projects", "A", false, "of every project")
	flags.BoolVarP(&f.watch, "watch", "w", false, "go on and show changes")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "names alone")
	flags.StringSliceVar(&f.states, "state", nil, "of these states: pending, running, suspended, succeeded, failed, cancelled, active, finished, all")
	flags.StringArrayVar(&f.tags, "tag", nil, "with this tag; may be repeated")
	flags.StringVar(&f.owner, "owner", "", "of this user; ME is yourself")
	flags.StringVar(&f.since, "since", "", "submitted since a time, 2026-02-28, or how long ago, 7d")
	flags.StringVar(&f.until, "until", "", "submitted before a time")
	flags.IntVar(&f.limit, "limit", 100, "number of jobs taken from the history; 0 for all")
	f.output.addTo(c)
	completeFlag(c, "tag", a.ofJobs(tagsOf))
	completeFlag(c, "owner", a.owners())
	must(c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(stateNames(), cobra.ShellCompDirectiveNoFileComp)))
	return c
}

func (a *app) ps(c *cobra.Command, f *psFlags) error {
	if err := f.output.check(c); err != nil {
		return err
	}
	now := a.now()
	wanted, past, err := f.filter(now)
	if err != nil {
		return usageError(c, err)
	}
	ctx := c.Context()
	connected, err := a.connect()
	if err != nil {
		return err
	}
	if f.owner == "ME" {
		if wanted.owner, err = a.whoAmI(ctx); err != nil {
			return err
		}
	}
	namespace := connected.project
	if f.allProjects {
		namespace = ""
	}
	if f.watch {
		return a.watchJobs(ctx, f, wanted, namespace)
	}
	rows, err := a.collectRows(ctx, f, wanted, namespace, past)
	if err != nil {
		return err
	}
	return a.printRows(ctx, f, rows, past, now)
}

// filter reads the flags and reports whether jobs that ended are wanted, which the history has.
func (f *psFlags) filter(now time.Time) (wanted filter, past bool, err error) {
	past = f.all || f.since != "" || f.until != ""
	wanted = filter{tags: f.tags, owner: f.owner}
	if wanted.states, err = parseStates(f.states); err != nil {
		return wanted, past, err
	}
	for _, state := range wanted.states {
		past = past || state.Finished()
	}
	if len(wanted.states) == 0 && !past {
		wanted.states = stateWords["active"]
	}
	if f.since != "" {
		if wanted.since, err = parseTime(f.since, now); err != nil {
			return wanted, past, fmt.Errorf("--since: %w", err)
		}
	}
	if f.until != "" {
		if wanted.until, err = parseTime(f.until, now); err != nil {
			return wanted, past, fmt.Errorf("--until: %w", err)
		}
	}
	return wanted, past, nil
}

// collectRows reads jobs and, where past ones are wanted, records. A history that does not answer hides nothing that is
// there: it is told, and the objects are listed.
func (a *app) collectRows(ctx context.Context, f *psFlags, wanted filter, namespace string, past bool) ([]row, error) {
	live, err := a.liveRows(ctx, f, wanted, namespace)
	if err != nil {
		return nil, err
	}
	var records []row
	if past {
		history, more, err := a.listRecords(ctx, namespace, wanted, f.limit)
		if err != nil {
			fmt.Fprintf(a.err, "%s jobs whose objects are gone are not shown: %v\n", a.style.warn("warning:"), err)
			history = &unstructured.UnstructuredList{}
		}
		if more {
			fmt.Fprintf(a.err, "there are older jobs; see more with --limit %d, or narrow with --since and --until\n", 10*f.limit)
		}
		for i := range history.Items {
			records = append(records, recordRow(&history.Items[i]))
		}
	}
	var rows []row
	for _, r := range mergeRows(live, records) {
		if wanted.wants(r) {
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// liveRows reads jobs, with their objects where those are printed.
func (a *app) liveRows(ctx context.Context, f *psFlags, wanted filter, namespace string) ([]row, error) {
	if f.quiet || f.output.table() {
		return a.listJobRows(ctx, namespace, wanted.selector())
	}
	found, err := a.list(ctx, jobs, namespace, metav1.ListOptions{FieldSelector: wanted.selector()}, 0)
	if err != nil {
		return nil, err
	}
	rows := make([]row, 0, len(found.Items))
	for i := range found.Items {
		rows = append(rows, liveRow(&found.Items[i]))
	}
	return rows, nil
}

func (a *app) printRows(ctx context.Context, f *psFlags, rows []row, past bool, now time.Time) error {
	if f.quiet {
		for _, r := range rows {
			if _, err := fmt.Fprintln(a.out, r.name); err != nil {
				return err
			}
		}
		return nil
	}
	if f.output.table() {
		if len(rows) == 0 && !f.allProjects {
			if err := a.projectExists(ctx); err != nil {
				return err
			}
		}
		if len(rows) == 0 {
			hint := ""
			if !past {
				hint = "; see those that ended with \"" + a.command("ps -a") + "\""
			}
			fmt.Fprintf(a.err, "No jobs%s.\n", hint)
			return nil
		}
		return jobTable(rows, f.allProjects, now).print(a.out, f.output.wide(), true)
	}
	list := &unstructured.UnstructuredList{}
	for _, r := range rows {
		list.Items = append(list.Items, *r.object)
	}
	return f.output.list(a.out, list)
}

// watchJobs prints jobs as they change, until it is interrupted.
func (a *app) watchJobs(ctx context.Context, f *psFlags, wanted filter, namespace string) error {
	// A job that ends while it is watched is shown with its end.
	shown := map[string]string{}
	header, tabs := true, printers.GetNewTabWriter(a.out)
	return a.watch(ctx, jobs, namespace, metav1.ListOptions{}, nil, func(u *unstructured.Unstructured, gone bool) (bool, error) {
		r := liveRow(u)
		key := string(r.uid)
		_, known := shown[key]
		if gone {
			delete(shown, key)
		}
		if gone || !known && !wanted.wants(r) {
			return false, nil
		}
		if f.quiet {
			if !known {
				shown[key] = ""
				fmt.Fprintln(a.out, r.name)
			}
			return false, nil
		}
		if !f.output.table() {
			shown[key] = ""
			return false, f.output.object(a.out, u)
		}
		state := fmt.Sprintf("%s/%s/%d", r.phase, r.reason, r.position)
		if known && shown[key] == state {
			return false, nil
		}
		shown[key] = state
		t := jobTable([]row{r}, f.allProjects, a.now())
		err := t.print(tabs, f.output.wide(), header)
		header = false
		return false, err
	})
}

// whoAmI is the name of the user: that of a user of Soma's, or the one by which the API server knows them.
func (a *app) whoAmI(ctx context.Context) (string, error) {
	question := &authenticationv1.SelfSubjectReview{TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "SelfSubjectReview"}}
	u, err := a.create(ctx, selfReview, "", question, false)
	if err != nil {
		return "", err
	}
	name, _, err := unstructured.NestedString(u.Object, "status", "userInfo", "username")
	if err == nil && name == "" {
		err = fmt.Errorf("the cluster does not say who you are; give --owner a name")
	}
	if user, ours := strings.CutPrefix(name, access.UserPrefix); ours {
		return user, err
	}
	if err == nil && strings.Contains(name, "#") { // by a token of an identity provider
		answer, _, askErr := askRights[review.SelfReview](ctx, a, selfReviews, &review.SelfReview{TypeMeta: reviewType("SelfReview")})
		if askErr == nil && answer.Status.User != "" {
			return answer.Status.User, nil
		}
	}
	return name, err
}
