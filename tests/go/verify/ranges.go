package main

import "sort"

// ranges are places without a payload that nothing has accounted for yet, in order.
type ranges []struct{ first, last uint64 }

func (r *ranges) miss(place uint64) {
	if n := len(*r); n > 0 && (*r)[n-1].last+1 == place {
		(*r)[n-1].last = place
		return
	}
	*r = append(*r, struct{ first, last uint64 }{place, place})
}

// account takes out what an erasure covers: only places before its own.
func (r *ranges) account(from, through, own uint64) {
	if own == 0 || from > through {
		return
	}
	if through >= own {
		through = own - 1
	}
	all := *r
	begin := sort.Search(len(all), func(at int) bool { return all[at].last >= from })
	end := sort.Search(len(all), func(at int) bool { return all[at].first > through })
	if begin >= end {
		return
	}
	var left ranges
	if all[begin].first < from {
		left = append(left, struct{ first, last uint64 }{all[begin].first, from - 1})
	}
	if all[end-1].last > through {
		left = append(left, struct{ first, last uint64 }{through + 1, all[end-1].last})
	}
	*r = append(append(append(ranges{}, all[:begin]...), left...), all[end:]...)
}
