package v1alpha1

// Energy is what the energy of a cluster costs, in money and in CO2, and when.
type Energy struct {
	// co2GramsPerKWh is how many grams of CO2 (or what does as much harm) come with one kWh. It is not told what jobs cause where
	// this is not given.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=5000
	CO2GramsPerKWh *int32 `json:"co2GramsPerKWh,omitempty"`

	// pricePerKWh for jobs that are bound to no schedule, and in schedules that name none, in the currency of the cluster's
	// prices. It is added to the price of jobs whose preset says how much power they draw.
	// +optional
	PricePerKWh Price `json:"pricePerKWh,omitempty"`

	// timeZone in which the times of schedules are meant, by its name in the IANA's database, for instance "Europe/Berlin". UTC
	// where it is not given.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$`
	TimeZone string `json:"timeZone,omitempty"`

	// schedules to which jobs can be bound, by name: such a job runs in the windows of its schedule alone.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Schedules []EnergySchedule `json:"schedules,omitempty"`
}

// EnergySchedule is when jobs that are bound to it may run, and what energy costs then.
type EnergySchedule struct {
	// name by which jobs refer to the schedule, for instance "night".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// pricePerKWh within the windows; the cluster's where it is not given.
	// +optional
	PricePerKWh Price `json:"pricePerKWh,omitempty"`

	// co2GramsPerKWh within the windows; the cluster's where it is not given.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=5000
	CO2GramsPerKWh *int32 `json:"co2GramsPerKWh,omitempty"`

	// periods in which the schedule is open. Those that overlap or adjoin are one window.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Periods []EnergyPeriod `json:"periods"`
}

// EnergyPeriod is a time of day on some days of the week.
type EnergyPeriod struct {
	// weekdays on which the period begins; every day where they are not given.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=7
	Weekdays []Weekday `json:"weekdays,omitempty"`

	// start is the time of day at which the period begins, for instance "22:00".
	// +required
	// +kubebuilder:validation:MinLength=5
	// +kubebuilder:validation:MaxLength=5
	// +kubebuilder:validation:Pattern=`^([01][0-9]|2[0-3]):[0-5][0-9]$`
	Start string `json:"start"`

	// end is the time of day at which the period is over, up to "24:00". One that is not after the start is that of the next day.
	// +required
	// +kubebuilder:validation:MinLength=5
	// +kubebuilder:validation:MaxLength=5
	// +kubebuilder:validation:Pattern=`^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$`
	End string `json:"end"`
}

// Weekday is a day of the week.
// +kubebuilder:validation:Enum=Monday;Tuesday;Wednesday;Thursday;Friday;Saturday;Sunday
type Weekday string

// AttemptEnergy is the energy that an attempt draws, and what that costs while it runs.
type AttemptEnergy struct {
	// schedule that the job is bound to.
	// +optional
	// +kubebuilder:validation:MaxLength=40
	Schedule string `json:"schedule,omitempty"`

	// watts that all replicas draw together. It is not given where the job's preset does not say it.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Watts int32 `json:"watts,omitempty"`

	// pricePerKWh; it is part of the price per hour.
	// +optional
	PricePerKWh Price `json:"pricePerKWh,omitempty"`

	// co2GramsPerKWh of the energy.
	// +optional
	// +kubebuilder:validation:Minimum=0
	CO2GramsPerKWh *int32 `json:"co2GramsPerKWh,omitempty"`
}

// JobEnergy is the energy that a job's attempts drew, and what came with it.
type JobEnergy struct {
	// wattHours that they drew.
	// +required
	WattHours EnergyAmount `json:"wattHours"`

	// co2Grams that came with them. It is not given where nothing is known of that.
	// +optional
	CO2Grams EnergyAmount `json:"co2Grams,omitempty"`
}

// EnergyAmount is an amount as a decimal number, for instance "1250.500000".
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=24
// +kubebuilder:validation:Pattern=`^[0-9]{1,14}(\.[0-9]{1,6})?$`
type EnergyAmount string
