package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BudgetPeriod is how often a budget is renewed: at midnight, UTC.
// +kubebuilder:validation:Enum=Day;Week;Month
type BudgetPeriod string

// The periods of budgets.
const (
	// BudgetDay: every day.
	BudgetDay BudgetPeriod = "Day"
	// BudgetWeek: every Monday.
	BudgetWeek BudgetPeriod = "Week"
	// BudgetMonth: on the first of every month.
	BudgetMonth BudgetPeriod = "Month"
)

// BudgetAction is what happens once a budget is used up, until it is renewed or raised.
// +kubebuilder:validation:Enum=Notify;StartNothing;Suspend;Cancel
type BudgetAction string

// What happens once a budget is used up.
const (
	// BudgetNotify: nothing but that it is told.
	BudgetNotify BudgetAction = "Notify"
	// BudgetStartNothing: no further job starts under the quota and those below it. What runs goes on.
	BudgetStartNothing BudgetAction = "StartNothing"
	// BudgetSuspend: what runs is ended as well, and goes on from its place in the queue.
	BudgetSuspend BudgetAction = "Suspend"
	// BudgetCancel: what runs is cancelled, what waits goes on waiting.
	BudgetCancel BudgetAction = "Cancel"
)

// BudgetUnitGPUHours is the unit of budgets of GPU-hours. Of others it is their currency.
const BudgetUnitGPUHours = "GPU-hours"

// Budget is how much the jobs under a quota and those below it may use in each period.
// +kubebuilder:validation:XValidation:rule="has(self.gpuHours) != has(self.money)",message="a budget is of GPU-hours or of money: give one of the two",fieldPath=".gpuHours"
type Budget struct {
	// name of the budget.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// period after which it is renewed, by the calendar and in UTC. What is left is not carried over.
	// +required
	Period BudgetPeriod `json:"period"`

	// gpuHours is the number of hours of one GPU, of any model. A job uses them while it runs, as many at a time as it has GPUs.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000000
	GPUHours *int64 `json:"gpuHours,omitempty"`

	// money that jobs may cost.
	// +optional
	Money *Money `json:"money,omitempty"`

	// warnings are the percents of it at which it is told how much is used; 80 where they are not given.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=99
	// +kubebuilder:default={80}
	Warnings []int32 `json:"warnings,omitempty"`

	// action is what happens once it is used up, until it is renewed or raised.
	// +required
	Action BudgetAction `json:"action"`
}

// Money is an amount in a currency.
type Money struct {
	// amount of money.
	// +required
	// +kubebuilder:validation:XValidation:rule="self.matches('[1-9]')",message="must be more than 0"
	Amount Price `json:"amount"`

	// currency of it, as in the prices of the cluster. What jobs cost in another does not count.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Pattern=`^[A-Za-z]+$`
	Currency string `json:"currency"`
}

// BudgetAmount is GPU-hours or money as a decimal number.
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:Pattern=`^[0-9]{1,24}(\.[0-9]{1,6})?$`
type BudgetAmount string

// BudgetStatus is how a budget stands in the present period. What is used and expected may be a minute old; whether it is used
// up is decided to the second.
type BudgetStatus struct {
	// name of the budget.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	Name string `json:"name"`

	// period of the budget as this was worked out.
	// +required
	Period BudgetPeriod `json:"period"`

	// limit of the budget as this was worked out.
	// +required
	Limit BudgetAmount `json:"limit"`

	// unit of limit, used and forecast: "GPU-hours", or a currency.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	Unit string `json:"unit"`

	// windowStart is when the present period began.
	// +required
	WindowStart metav1.Time `json:"windowStart"`

	// windowEnd is when the budget is renewed.
	// +required
	WindowEnd metav1.Time `json:"windowEnd"`

	// used in the present period.
	// +required
	Used BudgetAmount `json:"used"`

	// forecast is what will have been used at the end of the period if what runs goes on for as long as it may.
	// +required
	Forecast BudgetAmount `json:"forecast"`

	// warned is the highest of the warnings that was reached in the present period.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=99
	Warned int32 `json:"warned,omitempty"`

	// exhaustedTime is since when it is used up. It is not there while it is not.
	// +optional
	ExhaustedTime *metav1.Time `json:"exhaustedTime,omitempty"`

	// expectedExhaustion is when it will be used up in the present period if what runs goes on for as long as it may. It is
	// not there where it will not.
	// +optional
	ExpectedExhaustion *metav1.Time `json:"expectedExhaustion,omitempty"`

	// uncounted are other currencies in which jobs cost money in the present period: that does not count.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=16
	Uncounted []string `json:"uncounted,omitempty"`
}

// DayUsage is what was used on one day.
type DayUsage struct {
	// date of the day in UTC, for instance "2026-11-28".
	// +required
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=10
	Date string `json:"date"`

	// gpuSeconds is the sum of seconds, each times the GPUs that were held.
	// +optional
	// +kubebuilder:validation:Minimum=0
	GPUSeconds int64 `json:"gpuSeconds,omitempty"`

	// costs by currency.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4
	Costs []PriceSeconds `json:"costs,omitempty"`
}

// PriceSeconds is money before it is divided: prices per hour times seconds, which a decimal number holds exactly.
type PriceSeconds struct {
	// currency of the prices.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	Currency string `json:"currency"`

	// priceSeconds is the sum of seconds, each times the price per hour: divided by 3600 it is the money.
	// +required
	PriceSeconds BudgetAmount `json:"priceSeconds"`
}

// EarlierUsage is what attempts of a job used that its status does not show any more, on one day.
type EarlierUsage struct {
	// quota that they counted against.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Quota string `json:"quota"`

	DayUsage `json:",inline"`
}
