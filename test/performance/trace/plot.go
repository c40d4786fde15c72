package main

import (
	"fmt"
	"strings"
	"time"
)

// The plot has two panels: the GPUs in use by time, and how long jobs of each size waited.
const (
	plotWidth, panelHeight  = 720, 200
	plotLeft, plotTop       = 60, 30
	panelGap, legendsHeight = 60, 24
	// ticks is into how many parts the vertical axes are divided.
	ticks = 4
)

var colours = []string{"#999999", "#e69f00", "#0072b2", "#009e73", "#cc79a7"}

func draw(schedules []*schedule, c shape) string {
	b := &strings.Builder{}
	height := plotTop + 2*panelHeight + panelGap + 2*legendsHeight
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", plotLeft+plotWidth+20, height)
	fmt.Fprintf(b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	for i, s := range schedules {
		x := plotLeft + i*140
		fmt.Fprintf(b, `<rect x="%d" y="4" width="12" height="12" fill="%s"/><text x="%d" y="14">%s</text>`+"\n", x, colours[i], x+16, s.name)
	}
	drawUse(b, schedules, c, plotTop)
	drawWaits(b, schedules, plotTop+panelHeight+panelGap)
	b.WriteString("</svg>\n")
	return b.String()
}

// drawUse draws the mean GPUs in use, each for two hours.
func drawUse(b *strings.Builder, schedules []*schedule, c shape, top int) {
	const step = 2 * time.Hour
	end := time.Duration(0)
	for _, s := range schedules[1:] { // FIFO goes on for so long that the others could not be told apart
		for _, j := range s.jobs {
			end = max(end, j.ended())
		}
	}
	steps := int(end/step) + 1
	axes(b, top, float64(c.gpus()), "%.0f", "GPUs in use", "hours")
	for day := time.Duration(0); day <= end; day += 24 * time.Hour {
		x := plotLeft + float64(day)/float64(time.Duration(steps)*step)*plotWidth
		fmt.Fprintf(b, `<text x="%.0f" y="%d" text-anchor="middle">%.0f</text>`+"\n", x, top+panelHeight+14, day.Hours())
	}
	for i, s := range schedules {
		used := make([]float64, steps)
		for _, j := range s.jobs {
			for k := int(j.started / step); k < steps && time.Duration(k)*step < j.ended(); k++ {
				from, to := time.Duration(k)*step, time.Duration(k+1)*step
				used[k] += float64(j.total()) * float64(min(to, j.ended())-max(from, j.started)) / float64(step)
			}
		}
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="`, colours[i])
		for k, n := range used {
			fmt.Fprintf(b, "%.0f,%.0f ", plotLeft+(float64(k)+0.5)*plotWidth/float64(steps), float64(top)+panelHeight*(1-n/float64(c.gpus())))
		}
		b.WriteString(`"/>` + "\n")
	}
}

// drawWaits draws the mean wait of jobs of each size, FIFO's cut off where the others end.
func drawWaits(b *strings.Builder, schedules []*schedule, top int) {
	sizes := []int64{1, 2, 4, 8, 16, 32, 64, 128}
	waits := make([][]float64, len(schedules))
	most := 0.1
	for i, s := range schedules {
		for _, size := range sizes {
			var of []float64
			for _, j := range s.jobs {
				if j.total() == size {
					of = append(of, j.wait().Hours())
				}
			}
			waits[i] = append(waits[i], mean(of))
			if i > 0 {
				most = max(most, mean(of))
			}
		}
	}
	axes(b, top, most, "%.1f", "mean wait in hours", "GPUs of the job")
	for k, size := range sizes {
		left := float64(plotLeft) + float64(k)*plotWidth/float64(len(sizes))
		fmt.Fprintf(b, `<text x="%.0f" y="%d" text-anchor="middle">%d</text>`+"\n", left+45, top+panelHeight+14, size)
		for i := range schedules {
			high := panelHeight * min(waits[i][k]/most, 1)
			fmt.Fprintf(b, `<rect x="%.0f" y="%.1f" width="13" height="%.1f" fill="%s"/>`+"\n", left+8+float64(i)*15, float64(top)+panelHeight-high, high, colours[i])
		}
	}
}

// axes draws the axes of a panel, the vertical one with numbers up to the most.
func axes(b *strings.Builder, top int, most float64, number, vertical, horizontal string) {
	bottom := top + panelHeight
	for i := range ticks + 1 {
		y := bottom - i*panelHeight/ticks
		fmt.Fprintf(b, `<path d="M%d %dH%d" stroke="#dddddd"/><text x="%d" y="%d" text-anchor="end">`+number+"</text>\n",
			plotLeft, y, plotLeft+plotWidth, plotLeft-6, y+4, most*float64(i)/ticks)
	}
	fmt.Fprintf(b, `<path d="M%d %dV%dH%d" fill="none" stroke="black"/>`+"\n", plotLeft, top, bottom, plotLeft+plotWidth)
	fmt.Fprintf(b, `<text x="16" y="%d" transform="rotate(-90 16 %d)" text-anchor="middle">%s</text>`+"\n", bottom-panelHeight/2, bottom-panelHeight/2, vertical)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", plotLeft+plotWidth/2, bottom+32, horizontal)
}
