/** A longer word is not a mistyped name. */
const LONGEST_NAME = 64

/** The known name that a word was most likely meant to be: it continues the word, begins it, or is a few edits away. */
export function closest(word: string, known: readonly string[]): string | undefined {
  if (word.length > LONGEST_NAME) return undefined
  const wanted = word.toLowerCase()
  let best: string | undefined
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of known) {
    const other = candidate.toLowerCase()
    const distance = isBeginning(wanted, other) ? 1 : isBeginning(other, wanted) ? 2 : editDistance(wanted, other)
    if (distance >= least) continue
    least = distance
    best = candidate
  }
  return best
}

function isBeginning(one: string, other: string): boolean {
  return one.length >= 3 && other.startsWith(one)
}

/** Levenshtein distance: how many letters have to be changed, added or removed. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const changed = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1)
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[other.length] ?? 0
}
