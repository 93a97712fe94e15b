package console

// Nearest returns the name that a mistyped word most likely means. At most two letters, and at most
// half of the name, may be wrong, missing, extra or swapped. It returns "" if no name is near
// enough.
func Nearest(word string, names []string) string {
	best := ""
	least := 3
	for _, name := range names {
		if d := distance(word, name); d < least && 2*d <= len(name) {
			best = name
			least = d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their neighbour until the
// words are equal (optimal string alignment). Long words count as entirely different.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return max(len(a), len(b))
	}
	secondLast := make([]int, len(b)+1)
	last := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], secondLast[j-2]+1)
			}
		}
		secondLast, last, row = last, row, secondLast
	}
	return last[len(b)]
}
