package scheduling

import (
	"fmt"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// NominalLimits reads what a quota grants: of cpu, memory and GPUs, what it does not name may not be used.
func NominalLimits(amounts platformv1.ResourceAmounts) Limits {
	limits := PerUserLimits(&amounts)
	none := int64(0)
	if limits.MilliCPU == nil {
		limits.MilliCPU = &none
	}
	if limits.Memory == nil {
		limits.Memory = &none
	}
	if limits.GPUs == nil && len(limits.Models) == 0 {
		limits.GPUs = &none
	}
	limits.OnlyModels = amounts.GPUs == nil && len(limits.Models) > 0
	return limits
}

// PerUserLimits reads what a quota grants to each user: what it does not name has no limit of its own.
func PerUserLimits(amounts *platformv1.ResourceAmounts) Limits {
	limits := Limits{}
	if amounts == nil {
		return limits
	}
	if amounts.CPU != nil {
		limits.MilliCPU = pointer(amounts.CPU.MilliValue())
	}
	if amounts.Memory != nil {
		limits.Memory = pointer(amounts.Memory.Value())
	}
	if amounts.GPUs != nil {
		limits.GPUs = pointer(int64(*amounts.GPUs))
	}
	if amounts.RunningJobs != nil {
		limits.Jobs = pointer(int64(*amounts.RunningJobs))
	}
	for _, model := range amounts.GPUModels {
		if limits.Models == nil {
			limits.Models = map[string]int64{}
		}
		limits.Models[model.Model] = int64(model.Count)
	}
	return limits
}

func pointer(n int64) *int64 { return &n }

// check says whether the job, with GPUs of the model, is within the quota: now, later, or never.
func (q *Quota) check(job *Waiting, model string) *Refusal {
	total := job.total()
	user := Usage{}
	if held := q.Users[job.User]; held != nil {
		user = *held
	}
	whole := fmt.Sprintf("quota %q", q.Name)
	own := fmt.Sprintf("the share of user %q in quota %q", job.User, q.Name)
	if what := q.Nominal.exceeded(Usage{}, total, model); what != "" {
		return &Refusal{platformv1.JobReasonQuotaTooSmall, whole + " can never start this job: " + what}
	}
	if what := q.PerUser.exceeded(Usage{}, total, model); what != "" {
		return &Refusal{platformv1.JobReasonQuotaTooSmall, own + " can never start this job: " + what}
	}
	if what := q.PerUser.exceeded(user, total, model); what != "" {
		return &Refusal{platformv1.JobReasonQuotaExceeded, own + " is in use: " + what}
	}
	if what := q.Nominal.exceeded(q.Held, total, model); what != "" {
		return &Refusal{platformv1.JobReasonQuotaExceeded, whole + " is in use: " + what}
	}
	return nil
}

// exceeded names the first bound that the job would go over.
func (l Limits) exceeded(held Usage, job Amounts, model string) string {
	const gib = float64(1 << 30)
	switch {
	case l.MilliCPU != nil && job.MilliCPU > 0 && held.MilliCPU+job.MilliCPU > *l.MilliCPU:
		return fmt.Sprintf("the job asks for %g cpu, %g of %g are held", milli(job.MilliCPU), milli(held.MilliCPU), milli(*l.MilliCPU))
	case l.Memory != nil && job.Memory > 0 && held.Memory+job.Memory > *l.Memory:
		return fmt.Sprintf("the job asks for %.4g GiB of memory, %.4g of %.4g are held", float64(job.Memory)/gib, float64(held.Memory)/gib, float64(*l.Memory)/gib)
	case l.GPUs != nil && job.GPUs > 0 && held.GPUs+job.GPUs > *l.GPUs:
		return fmt.Sprintf("the job asks for %d GPUs, %d of %d are held", job.GPUs, held.GPUs, *l.GPUs)
	case l.Jobs != nil && held.Jobs+1 > *l.Jobs:
		return fmt.Sprintf("%d of %d jobs run", held.Jobs, *l.Jobs)
	}
	if job.GPUs == 0 {
		return ""
	}
	limit, listed := l.Models[model]
	if !listed {
		if l.OnlyModels {
			return fmt.Sprintf("it grants no GPUs of the model %q", model)
		}
		return ""
	}
	if held.Models[model]+job.GPUs > limit {
		return fmt.Sprintf("the job asks for %d GPUs of %s, %d of %d are held", job.GPUs, model, held.Models[model], limit)
	}
	return ""
}

func milli(n int64) float64 { return float64(n) / 1000 }

// Hold counts a reservation in, for the quota and for the user.
func (q *Quota) Hold(user string, amounts Amounts, model string) {
	q.Held.Add(amounts, model)
	if q.Users == nil {
		q.Users = map[string]*Usage{}
	}
	if q.Users[user] == nil {
		q.Users[user] = &Usage{}
	}
	q.Users[user].Add(amounts, model)
}
