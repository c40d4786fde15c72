package cli

import (
	"strings"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// advice is what a reason means and what a person can do about it.
type advice struct {
	meaning, do string
	// ended is what to do instead once the job has ended, "" where that is the same.
	ended string
}

const (
	seeLogs   = "read the last output with \"%[1]s logs %[2]s\""
	seeImage  = "check the image's name and tag, then submit it again: \"%[1]s clone %[2]s\" takes the same settings"
	noAction  = "nothing; it goes on by itself"
	tryAgain  = "run it again with \"%[1]s clone %[2]s\", or let Soma do so with --restart on-failure"
	askQuota  = "see \"%[1]s quota\"; ask an administrator for more, or ask for less with \"%[1]s clone %[2]s\""
	longerRun = "give it more time: \"%[1]s clone %[2]s --life-span 2d\""
)

// reasons are the meanings of all reasons. In "do" %[1]s is the program and %[2]s the job.
var reasons = map[v1alpha1.JobReason]advice{
	v1alpha1.JobReasonQueued:             {meaning: "everything fits, but other jobs hold what this one needs", do: "wait; see who holds it with \"%[1]s ps\" and \"%[1]s cluster status\""},
	v1alpha1.JobReasonGangWaiting:        {meaning: "there is room for some of its replicas, and not for all of them together", do: "wait, or ask for fewer replicas with \"%[1]s clone %[2]s\"; see who holds the rest with \"%[1]s ps\" and \"%[1]s cluster status\""},
	v1alpha1.JobReasonUnschedulable:      {meaning: "the nodes could not run this job even if they were empty", do: "ask for less, or for a GPU model, pool or number of replicas that there is: see \"%[1]s cluster status\" and \"%[1]s preset ls\""},
	v1alpha1.JobReasonQuotaExceeded:      {meaning: "the quota, one above it, or your share of one is in use; the job starts when others that count there end", do: "wait, or end jobs that are not needed; see \"%[1]s quota\""},
	v1alpha1.JobReasonQuotaTooSmall:      {meaning: "the job asks for more than its quota grants at all", do: askQuota},
	v1alpha1.JobReasonBudgetExhausted:    {meaning: "a budget of the quota, or of one above it, is used up or not known yet", do: "wait until it is renewed; see \"%[1]s quota\", or ask an administrator for more"},
	v1alpha1.JobReasonQuotaMissing:       {meaning: "the project's quota, or one above it, is missing or being deleted, so nothing may run in the project", do: "ask an administrator to give the project a quota, or to mend those above it; see \"%[1]s project status\" and \"%[1]s quota status\""},
	v1alpha1.JobReasonProjectNotReady:    {meaning: "the namespace belongs to no project, or the project is being deleted", do: "choose a project: \"%[1]s project ls\", \"%[1]s project use NAME\""},
	v1alpha1.JobReasonClusterNotFound:    {meaning: "there is no such cluster", do: "see \"%[1]s cluster ls\""},
	v1alpha1.JobReasonClusterUnreachable: {meaning: "the cluster does not answer", do: "wait, or ask an administrator; see \"%[1]s cluster status\""},
	v1alpha1.JobReasonPresetNotFound:     {meaning: "the cluster has no preset of this name", do: "see \"%[1]s preset ls\", then \"%[1]s clone %[2]s --preset NAME\""},
	v1alpha1.JobReasonPresetInvalid:      {meaning: "the preset asks for no cpu or memory, or for more shm than memory", do: "name another: \"%[1]s preset ls\", then \"%[1]s clone %[2]s --preset NAME\"; ask an administrator to mend this one"},
	v1alpha1.JobReasonSecretMissing:      {meaning: "a secret or key that the job names does not exist, or is not marked for jobs", do: "make the secret, with the label platform.soma.dev/secret=true; the job starts by itself then", ended: "make the secret, with the label platform.soma.dev/secret=true, then submit it again: \"%[1]s clone %[2]s\""},
	v1alpha1.JobReasonBackOff:            {meaning: "the last attempt failed; the next one comes after a while", do: "wait, or see why it failed: \"%[1]s logs %[2]s --previous\""},
	v1alpha1.JobReasonReservationRefused: {meaning: "the job's place cannot be recorded", do: "read the message and ask an administrator"},
	v1alpha1.JobReasonHistoryBacklog:     {meaning: "the history is away, and the job's next attempt waits for it", do: "wait, or ask an administrator"},
	v1alpha1.JobReasonCreating:           {meaning: "its place is reserved and its pods are being made", do: noAction},
	v1alpha1.JobReasonScheduling:         {meaning: "its pods are being bound to their nodes", do: noAction},
	v1alpha1.JobReasonClusterScalingUp:   {meaning: "the cluster is adding a node for the job", do: "nothing; this takes minutes"},
	v1alpha1.JobReasonPodInitializing:    {meaning: "its pods are being prepared", do: noAction},
	v1alpha1.JobReasonContainerCreating:  {meaning: "the node prepares the container: volumes, network, image", do: noAction},
	v1alpha1.JobReasonPulling:            {meaning: "the node pulls the image; large images take minutes", do: noAction},
	v1alpha1.JobReasonErrImagePull:       {meaning: "pulling the image failed and is tried again", do: "wait; if it goes on, check the image's name and its registry"},
	v1alpha1.JobReasonRestarting:         {meaning: "an attempt ended and the next is being prepared", do: noAction},
	v1alpha1.JobReasonTerminating:        {meaning: "its pods are being ended", do: noAction},

	v1alpha1.JobReasonEnergyWindow:           {meaning: "the energy schedule that it is bound to is closed", do: "wait until it opens, see \"%[1]s cluster status\"; \"%[1]s clone %[2]s --energy-schedule ''\" runs it at any time"},
	v1alpha1.JobReasonEnergyScheduleNotFound: {meaning: "the cluster has no energy schedule of this name", do: "see \"%[1]s cluster status\", then \"%[1]s clone %[2]s --energy-schedule NAME\""},

	v1alpha1.JobReasonRunning:       {meaning: "every replica runs", do: "follow it with \"%[1]s logs -f %[2]s\""},
	v1alpha1.JobReasonSuspended:     {meaning: "it was suspended on request", do: "let it go on with \"%[1]s resume %[2]s\""},
	v1alpha1.JobReasonCheckpointing: {meaning: "it saves its state before it is ended", do: noAction},

	v1alpha1.JobReasonCompleted:            {meaning: "every replica ended with exit code 0"},
	v1alpha1.JobReasonError:                {meaning: "the program ended with an exit code other than 0", do: seeLogs},
	v1alpha1.JobReasonOOMKilled:            {meaning: "the program used more memory than the job asked for", do: "ask for more memory: \"%[1]s clone %[2]s --preset LARGER\", or use less"},
	v1alpha1.JobReasonEvicted:              {meaning: "the node ended the job: it was short of a resource or is being emptied", do: tryAgain},
	v1alpha1.JobReasonScratchExceeded:      {meaning: "the job used more scratch space than it asked for", do: "ask for more scratch space: \"%[1]s clone %[2]s -v scratch:SIZE:/path\""},
	v1alpha1.JobReasonContainerCannotRun:   {meaning: "the command does not exist in the image or cannot be executed", do: "check the command's name and path in the image; \"%[1]s clone %[2]s -- COMMAND\" tries another"},
	v1alpha1.JobReasonImagePullBackOff:     {meaning: "the image could not be pulled", do: seeImage},
	v1alpha1.JobReasonImageNotFound:        {meaning: "the registry does not have the image", do: seeImage},
	v1alpha1.JobReasonImageUnauthorized:    {meaning: "the registry refused the image", do: "name a secret with the registry's credentials: \"%[1]s clone %[2]s --image-pull-secret NAME\""},
	v1alpha1.JobReasonInvalidImageName:     {meaning: "the image's name cannot be read", do: seeImage},
	v1alpha1.JobReasonDiskUnavailable:      {meaning: "a volume could not be attached or mounted", do: tryAgain},
	v1alpha1.JobReasonPolicyDenied:         {meaning: "the cluster will not have the job's pods: its policy, their size or a name that is taken", do: "read the message; if it is about a policy, ask an administrator"},
	v1alpha1.JobReasonNodeLost:             {meaning: "the node went away with the job", do: tryAgain},
	v1alpha1.JobReasonGPULost:              {meaning: "a GPU of the job went away or is broken, as its node says", do: tryAgain},
	v1alpha1.JobReasonNotFound:             {meaning: "the pod vanished and nobody said why", do: tryAgain},
	v1alpha1.JobReasonPreempted:            {meaning: "another job or pod needed the place", do: tryAgain},
	v1alpha1.JobReasonUnresponsive:         {meaning: "the job stopped answering", do: seeLogs},
	v1alpha1.JobReasonDependencyFailed:     {meaning: "something that the job depends on failed", do: "look at what it depends on"},
	v1alpha1.JobReasonScheduleTimeout:      {meaning: "the job did not start within its schedule timeout", do: "give it longer: \"%[1]s clone %[2]s --schedule-timeout 1d\", or ask for less"},
	v1alpha1.JobReasonClusterScaleUpFailed: {meaning: "the cluster could not add a node for the job", do: "ask an administrator; see \"%[1]s cluster status\""},
	v1alpha1.JobReasonLifeSpanEnded:        {meaning: "the job ran for its whole life span", do: longerRun},
	v1alpha1.JobReasonQuotaExhausted:       {meaning: "the budget that paid for the job is used up", do: askQuota},
	v1alpha1.JobReasonUserRequested:        {meaning: "a person cancelled or deleted the job", do: "run it again with \"%[1]s clone %[2]s\""},
	v1alpha1.JobReasonProjectDeleted:       {meaning: "the job's project was deleted"},
	v1alpha1.JobReasonCollected:            {meaning: "the job's pods were removed by somebody else while it ran", do: tryAgain},
}

// next is what to do about a job of the phase, with the program's and the job's name.
func (a advice) next(phase v1alpha1.JobPhase, program, job string) string {
	if phase.Finished() && a.ended != "" {
		return fillIn(a.ended, program, job)
	}
	return fillIn(a.do, program, job)
}

// fillIn puts the program's and the job's name into a piece of advice.
func fillIn(text, program, job string) string {
	return strings.NewReplacer("%[1]s", program, "%[2]s", job).Replace(text)
}

// adviceFor is the advice about a reason, empty where the reason is not known to this version of the command line.
func adviceFor(reason v1alpha1.JobReason) advice { return reasons[reason] }
