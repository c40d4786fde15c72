package accounting

import (
	"math/big"
	"time"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// AddEnergy is the energy so far and that of another stretch of time in which so many watts were drawn. What is known of neither
// is nil.
func AddEnergy(soFar *platformv1.JobEnergy, drawn *platformv1.AttemptEnergy, ran time.Duration) *platformv1.JobEnergy {
	if drawn == nil || drawn.Watts == 0 {
		return soFar
	}
	added := platformv1.JobEnergy{}
	if soFar != nil {
		added = *soFar
	}
	wattHours := new(big.Rat).Mul(big.NewRat(int64(drawn.Watts), 1), big.NewRat(int64(ran/time.Second), 3600))
	if drawn.CO2GramsPerKWh != nil {
		grams := new(big.Rat).Mul(wattHours, big.NewRat(int64(*drawn.CO2GramsPerKWh), 1000))
		added.CO2Grams = plus(added.CO2Grams, grams)
	}
	added.WattHours = plus(added.WattHours, wattHours)
	return &added
}

// plus adds to an amount, which is empty where it is nothing.
func plus(amount platformv1.EnergyAmount, more *big.Rat) platformv1.EnergyAmount {
	sum := new(big.Rat).Add(parse(platformv1.Price(amount)), more)
	return platformv1.EnergyAmount(sum.FloatString(decimals))
}

// energyPerHour is the price of what is drawn in one hour.
func energyPerHour(drawn *platformv1.AttemptEnergy) *big.Rat {
	if drawn == nil {
		return new(big.Rat)
	}
	kilowatts := big.NewRat(int64(drawn.Watts), 1000)
	return kilowatts.Mul(kilowatts, parse(drawn.PricePerKWh))
}
