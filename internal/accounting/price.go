// Package accounting computes what jobs cost. It is exact: amounts are rational numbers until they are printed.
package accounting

import (
	"math/big"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// decimals is the number of digits after the point of a printed price.
const decimals = 6

// PerHour is the price of all replicas for one hour: that of the preset where it has one, else that of the single
// resources, and that of the energy which they draw together. It is empty where the cluster has no prices for what is asked.
func PerHour(preset platformv1.Price, prices *platformv1.Prices, replica platformv1.ReplicaResources, replicas int32, drawn *platformv1.AttemptEnergy) platformv1.Price {
	if prices == nil {
		return ""
	}
	one := parse(preset)
	if preset == "" {
		one = perReplica(prices, replica)
	}
	all := one.Mul(one, new(big.Rat).SetInt64(int64(replicas)))
	if all.Add(all, energyPerHour(drawn)).Sign() == 0 {
		return ""
	}
	return format(all)
}

func perReplica(prices *platformv1.Prices, replica platformv1.ReplicaResources) *big.Rat {
	sum := new(big.Rat).Mul(parse(prices.CPUHour), cores(replica.CPU))
	gib := new(big.Rat).SetFrac64(replica.Memory.Value(), 1<<30)
	sum.Add(sum, gib.Mul(gib, parse(prices.MemoryGiBHour)))
	for _, gpu := range prices.GPUHours {
		if gpu.Model == replica.GPUModel {
			count := new(big.Rat).SetInt64(int64(replica.GPUs))
			sum.Add(sum, count.Mul(count, parse(gpu.Price)))
		}
	}
	return sum
}

// Add is the cost so far and that of another stretch of time at a price per hour. What was paid in another currency is kept beside it.
func Add(soFar *platformv1.Cost, perHour platformv1.Price, currency string, ran time.Duration) *platformv1.Cost {
	if perHour == "" || currency == "" {
		return soFar
	}
	amount := new(big.Rat).Mul(parse(perHour), new(big.Rat).SetFrac64(int64(ran/time.Second), 3600))
	cost := &platformv1.Cost{Currency: currency}
	if soFar != nil {
		for _, paid := range append(slices.Clone(soFar.Others), platformv1.OtherCost{Amount: soFar.Amount, Currency: soFar.Currency}) {
			if paid.Currency == currency {
				amount.Add(amount, parse(paid.Amount))
			} else {
				cost.Others = append(cost.Others, paid)
			}
		}
	}
	cost.Amount, cost.Others = format(amount), cost.Others[max(0, len(cost.Others)-maxCurrencies):]
	return cost
}

// parse reads a price that the API server has checked; an empty one is zero.
func parse(price platformv1.Price) *big.Rat {
	value, ok := new(big.Rat).SetString(string(price))
	if !ok {
		return new(big.Rat)
	}
	return value
}

func format(amount *big.Rat) platformv1.Price {
	return platformv1.Price(amount.FloatString(decimals))
}

func cores(cpu resource.Quantity) *big.Rat {
	return new(big.Rat).SetFrac64(cpu.MilliValue(), 1000)
}
