/** The verdict on the self-check's figures: which rows miss their targets, and whether the run has failed. */

/** The target of a row's value. */
export interface Target {
  readonly is: 'below' | 'above' | 'at least'
  readonly limit: number
  /** As it is shown. */
  readonly text: string
}

export interface Row {
  readonly metric: string
  /** As it is shown, and as a number. */
  readonly measured: string
  readonly value: number
  readonly target?: Target | undefined
  /** `speed` is not judged when there were only a few frames. */
  readonly of: 'speed' | 'counts'
  readonly baseline?: string | undefined
  readonly ratio?: string | undefined
  /** There is no figure: `measured` says why. */
  readonly isMissing?: boolean
}

export interface Verdict {
  readonly head: readonly string[]
  /** The cells of each row. */
  readonly cells: readonly (readonly string[])[]
  /** The lines below the table. */
  readonly lines: readonly string[]
  readonly exitCode: 0 | 1
}

const HEAD = ['metric', 'measured', 'target', 'met', 'baseline', 'ratio']

/**
 * `failures`: counts, checksums and ledgers that are wrong, in words. Only they fail the run, because a busy machine
 * may miss a target. `judgesSpeed`: there were enough frames to judge speed.
 */
export function judge(
  rows: readonly Row[],
  failures: readonly string[],
  { judgesSpeed }: { readonly judgesSpeed: boolean },
): Verdict {
  const misses: string[] = []
  const cells = rows.map(({ metric, measured, value, target, of, baseline = '', ratio = '', isMissing = false }) => {
    const isJudged = target !== undefined && (judgesSpeed || of === 'counts')
    const met = isJudged && meets(value, target)
    if (isJudged && !met) misses.push(`${metric}: ${measured}, target ${target.text}`)
    if (isMissing) return [`${metric}: ${measured}`]
    return [
      metric,
      measured,
      target?.text.replace(' baseline', '') ?? '',
      isJudged ? (met ? 'yes' : 'MISSED') : '',
      baseline,
      ratio,
    ]
  })
  const lines: string[] = []
  if (!judgesSpeed) lines.push('Quick: few frames and cold code. The figures say nothing about speed.')
  if (misses.length > 0) {
    lines.push(`${String(misses.length)} of the targets missed:`, ...misses.map(item))
    lines.push('Times are those of this machine at this moment: a missed target does not fail the run.')
  }
  if (failures.length > 0) lines.push('FAILED:', ...failures.map(item))
  else lines.push('All counts, checksums and the ledger are right.')
  return { head: HEAD, cells, lines, exitCode: failures.length === 0 ? 0 : 1 }
}

/** NaN meets no target. */
function meets(value: number, { is, limit }: Target): boolean {
  switch (is) {
    case 'below':
      return value < limit
    case 'above':
      return value > limit
    case 'at least':
      return value >= limit
  }
}

function item(text: string): string {
  return `  - ${text}`
}
