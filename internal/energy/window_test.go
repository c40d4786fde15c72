package energy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// period reads "22:00-06:00", or "22:00-06:00 Saturday Sunday".
func period(text string) platformv1.EnergyPeriod {
	words := strings.Fields(text)
	start, end, _ := strings.Cut(words[0], "-")
	p := platformv1.EnergyPeriod{Start: start, End: end}
	for _, day := range words[1:] {
		p.Weekdays = append(p.Weekdays, platformv1.Weekday(day))
	}
	return p
}

func in(zone string, periods ...string) *platformv1.Energy {
	s := platformv1.EnergySchedule{Name: "s"}
	for _, text := range periods {
		s.Periods = append(s.Periods, period(text))
	}
	return &platformv1.Energy{TimeZone: zone, Schedules: []platformv1.EnergySchedule{s}}
}

func TestWindows(t *testing.T) {
	tests := map[string]struct {
		energy *platformv1.Energy
		// now is UTC; 2026-03-02 is a Monday.
		now string
		// want is whether it is open, and until when, in the zone of the schedule.
		want string
	}{
		"before it opens":                      {in("", "08:00-12:00"), "2026-03-02 07:59", "closed until Mon 02 08:00 UTC"},
		"as it opens":                          {in("", "08:00-12:00"), "2026-03-02 08:00", "open until Mon 02 12:00 UTC"},
		"as it closes":                         {in("", "08:00-12:00"), "2026-03-02 12:00", "closed until Tue 03 08:00 UTC"},
		"until midnight":                       {in("", "08:00-24:00"), "2026-03-02 23:59", "open until Tue 03 00:00 UTC"},
		"until midnight, as the next day says": {in("", "08:00-00:00"), "2026-03-02 23:59", "open until Tue 03 00:00 UTC"},
		"over midnight, before it":             {in("", "22:00-06:00 Monday"), "2026-03-02 23:00", "open until Tue 03 06:00 UTC"},
		"over midnight, after it":              {in("", "22:00-06:00 Monday"), "2026-03-03 05:59", "open until Tue 03 06:00 UTC"},
		"over midnight, a week later":          {in("", "22:00-06:00 Monday"), "2026-03-03 06:00", "closed until Mon 09 22:00 UTC"},
		"periods that overlap":                 {in("", "08:00-12:00", "11:00-14:00", "09:00-10:00"), "2026-03-02 09:30", "open until Mon 02 14:00 UTC"},
		"periods that adjoin, over midnight":   {in("", "20:00-24:00", "00:00-04:00"), "2026-03-02 21:00", "open until Tue 03 04:00 UTC"},
		"every hour of a day":                  {in("", "00:00-24:00 Monday"), "2026-03-02 00:00", "open until Tue 03 00:00 UTC"},
		"from one day to the next":             {in("", "08:00-08:00 Monday"), "2026-03-02 09:00", "open until Tue 03 08:00 UTC"},
		"the whole weekend":                    {in("", "00:00-24:00 Saturday Sunday"), "2026-03-02 00:00", "closed until Sat 07 00:00 UTC"},
		"the weekend and each night":           {in("", "00:00-24:00 Saturday Sunday", "22:00-06:00"), "2026-03-06 22:30", "open until Mon 09 06:00 UTC"},
		"always":                               {in("", "00:00-24:00"), "2026-03-02 12:00", "open for ever"},
		"always, in two parts":                 {in("", "06:00-18:00", "18:00-06:00"), "2026-03-02 12:00", "open for ever"},
		"always but for a minute of the week":  {in("", "00:00-24:00 Monday Tuesday Wednesday Thursday Friday Saturday", "00:00-23:59 Sunday"), "2026-03-02 00:00", "open until Sun 08 23:59 UTC"},
		"the day of a zone":                    {in("Europe/Berlin", "00:00-24:00 Tuesday"), "2026-03-02 23:00", "open until Wed 04 00:00 CET"},
		"no schedule at all":                   {&platformv1.Energy{}, "2026-03-02 12:00", "closed for ever"},

		// In Berlin clocks go from 02:00 to 03:00 on 2026-03-29 (01:00 UTC), and from 03:00 to 02:00 on 2026-10-25 (01:00 UTC).
		"a night that is short":                    {in("Europe/Berlin", "22:00-06:00"), "2026-03-28 21:00", "open until Sun 29 06:00 CEST"},
		"begins in what is left out":               {in("Europe/Berlin", "02:30-05:00"), "2026-03-29 00:59", "closed until Sun 29 03:00 CEST"},
		"begins in what is left out: it is open":   {in("Europe/Berlin", "02:30-05:00"), "2026-03-29 01:00", "open until Sun 29 05:00 CEST"},
		"ends in what is left out":                 {in("Europe/Berlin", "00:30-02:30"), "2026-03-29 00:00", "open until Sun 29 03:00 CEST"},
		"is left out as a whole":                   {in("Europe/Berlin", "02:10-02:50"), "2026-03-29 00:30", "closed until Mon 30 02:10 CEST"},
		"closed but for what is left out":          {in("Europe/Berlin", "00:00-02:00", "03:00-24:00"), "2026-03-28 12:00", "open until Mon 30 02:00 CEST"},
		"a night that is long":                     {in("Europe/Berlin", "22:00-06:00"), "2026-10-24 20:00", "open until Sun 25 06:00 CET"},
		"begins in what comes twice":               {in("Europe/Berlin", "02:30-05:00"), "2026-10-25 00:00", "closed until Sun 25 02:30 CEST"},
		"goes on when it comes again":              {in("Europe/Berlin", "02:30-05:00"), "2026-10-25 01:10", "open until Sun 25 05:00 CET"},
		"ends when it comes first":                 {in("Europe/Berlin", "22:00-02:30"), "2026-10-25 00:00", "open until Sun 25 02:30 CEST"},
		"does not open again when it comes again":  {in("Europe/Berlin", "22:00-02:30"), "2026-10-25 01:10", "closed until Sun 25 22:00 CET"},
		"lasts for both":                           {in("Europe/Berlin", "02:00-03:00"), "2026-10-25 00:00", "open until Sun 25 03:00 CET"},
		"clocks that are set back by half an hour": {in("Australia/Lord_Howe", "01:45-04:00"), "2026-04-04 14:50", "open until Sun 05 04:00 +1030"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			now, err := time.Parse("2006-01-02 15:04", test.now)
			if err != nil {
				t.Fatal(err)
			}
			windows, err := Windows(test.energy, now)
			if err != nil {
				t.Fatal(err)
			}
			if got := words(windows["s"]); got != test.want {
				t.Errorf("at %s it is %s, want %s", test.now, got, test.want)
			}
		})
	}
}

func words(w Window) string {
	text := "closed"
	if w.Open {
		text = "open"
	}
	if w.Until.IsZero() {
		return text + " for ever"
	}
	return text + w.Until.Format(" until Mon 02 15:04 MST")
}

func TestUnknownZones(t *testing.T) {
	now := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for _, zone := range []string{"Europe/Entenhausen", "Local", "Berlin"} {
		if windows, err := Windows(in(zone, "00:00-24:00"), now); err == nil || !strings.Contains(err.Error(), zone) || windows != nil {
			t.Errorf("%s: %v, %v", zone, windows, err)
		}
	}
	if windows, err := Windows(nil, now); windows != nil || err != nil {
		t.Errorf("without energy: %v, %v", windows, err)
	}
}

// model says minute by minute whether a schedule is open: by clocks that are never set back.
type model struct {
	periods  []modelPeriod
	location *time.Location
	// latest is the latest that clocks have shown, as if it were UTC.
	latest time.Time
}

type modelPeriod struct {
	weekdays string
	// begin and end are minutes since midnight.
	begin, end int
}

func newModel(t *rapid.T, e *platformv1.Energy) *model {
	location, err := Location(e)
	if err != nil {
		t.Fatal(err)
	}
	m := &model{location: location}
	for _, p := range e.Schedules[0].Periods {
		var hour, minute, toHour, toMinute int
		if _, err := fmt.Sscanf(p.Start+" "+p.End, "%d:%d %d:%d", &hour, &minute, &toHour, &toMinute); err != nil {
			t.Fatal(err)
		}
		m.periods = append(m.periods, modelPeriod{fmt.Sprint(p.Weekdays), 60*hour + minute, 60*toHour + toMinute})
	}
	return m
}

// at moves the model on to a time and says whether the schedule is open then.
func (m *model) at(now time.Time) bool {
	local := now.In(m.location)
	shown := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), 0, 0, time.UTC)
	if shown.After(m.latest) {
		m.latest = shown
	}
	minute, today, yesterday := 60*m.latest.Hour()+m.latest.Minute(), m.latest.Weekday(), m.latest.AddDate(0, 0, -1).Weekday()
	for _, p := range m.periods {
		began := func(on time.Weekday) bool { return p.weekdays == "[]" || strings.Contains(p.weekdays, on.String()) }
		over := p.end <= p.begin // it ends on the day after
		if began(today) && minute >= p.begin && (over || minute < p.end) || over && began(yesterday) && minute < p.end {
			return true
		}
	}
	return false
}

// What is told of windows is what a clock on the wall tells, minute by minute, also where it is set.
func TestWindowsAgreeWithAClock(t *testing.T) {
	zones := []string{"", "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Chatham"}
	// The days on which clocks are set there, and others.
	days := []time.Time{
		time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 7, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC), time.Date(2026, 4, 4, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 3, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 9, 25, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC),
	}
	clock := rapid.Custom(func(t *rapid.T) string {
		// Early hours are where clocks are set.
		return fmt.Sprintf("%02d:%02d", rapid.OneOf(rapid.IntRange(0, 4), rapid.IntRange(0, 23)).Draw(t, "hour"), 15*rapid.IntRange(0, 3).Draw(t, "quarter"))
	})
	weekday := rapid.SampledFrom([]platformv1.Weekday{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"})
	one := rapid.Custom(func(t *rapid.T) platformv1.EnergyPeriod {
		return platformv1.EnergyPeriod{
			Start: clock.Draw(t, "start"), End: rapid.OneOf(clock, rapid.Just("24:00")).Draw(t, "end"),
			Weekdays: rapid.SliceOfNDistinct(weekday, 0, 7, rapid.ID).Draw(t, "weekdays"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		e := &platformv1.Energy{TimeZone: rapid.SampledFrom(zones).Draw(t, "zone"), Schedules: []platformv1.EnergySchedule{
			{Name: "s", Periods: rapid.SliceOfN(one, 1, 4).Draw(t, "periods")},
		}}
		m := newModel(t, e)
		now := rapid.SampledFrom(days).Draw(t, "day")
		for before := now.AddDate(0, 0, -1); before.Before(now); before = before.Add(time.Minute) {
			m.at(before)
		}
		// What was told last has to hold until the time that it named, and no longer.
		told := Window{}
		for minute := range 2 * 24 * 60 {
			at := now.Add(time.Duration(minute) * time.Minute)
			open := m.at(at)
			if minute == 0 || !told.Until.IsZero() && !at.Before(told.Until) {
				windows, err := Windows(e, at)
				if err != nil {
					t.Fatal(err)
				}
				if minute > 0 && windows["s"].Open == told.Open {
					t.Fatalf("at %s nothing changed, as had been told", at.In(m.location))
				}
				told = windows["s"]
			}
			if told.Open != open {
				t.Fatalf("at %s it is told to be %s, and a clock says open: %t", at.In(m.location), words(told), open)
			}
		}
	})
}
