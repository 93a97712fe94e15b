package console

// Nearest is the name that somebody who typed a word most likely meant: at most two letters
// wrong, missing, too many or swapped, and fewer than half of them. It is empty when no name is
// that near.
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

// distance counts the letters to insert, delete, replace or swap with their neighbour to make one
// word the other. Words that are much longer than a command are as far away as they are long.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return max(len(a), len(b))
	}
	before := make([]int, len(b)+1)
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
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
