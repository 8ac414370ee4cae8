/** What a fault campaign found, line by line. */
import type { ChaosReport } from '../scenarios/chaos.js'
import { figure, table } from './table.js'

const MIB = 2 ** 20

const head = [
  'injected',
  'recovered',
  'longest ms',
  'losses',
  'sent',
  'echoed',
  'handed over',
  'unconfirmed',
  'resent',
  'dropped',
  'wrong',
]

export function chaosLines({ seed, targets, faults, recovered, rows, host, failures }: ChaosReport): string[] {
  const cells = rows.map(({ kind, injected, recovered: over, longestMs, counts }) => [
    kind,
    ...[injected, over, Math.round(longestMs), counts.losses, counts.sent, counts.echoed].map(String),
    ...[counts.handedOver, counts.unconfirmed, counts.resent, counts.dropped, counts.wrong].map(String),
  ])
  const lines = [table([`faults, seed ${String(seed)}`, ...head], cells), '']
  if (host !== undefined) {
    const { counts, leaked, ownGrowth, residentGrowth, answered, failedQuestions } = host
    lines.push(
      `${String(counts.sent)} frames sent: ${String(counts.echoed)} came back, ${String(counts.handedOver)} were handed over and did not,`,
      `  ${String(counts.unconfirmed)} unconfirmed, ${String(counts.resent)} sent again, ${String(counts.dropped)} dropped, ${String(counts.wrong)} wrong; ${String(counts.losses)} losses, ${String(counts.connectionsReplaced)} connections replaced`,
      `pools: ${String(answered)} questions answered, ${String(failedQuestions)} failed`,
      `leaked: ${String(leaked)}; heap and buffers ${figure(ownGrowth / MIB)} MiB, resident ${figure(residentGrowth / MIB)} MiB more than after a fifth of the faults`,
    )
  }
  lines.push(`${String(recovered)} of ${String(faults)} faults recovered`)
  lines.push(...failures.map((failure) => `WRONG: ${failure}`))
  if (failures.length > 0) {
    lines.push(
      `Repeat with: npm run perf -- chaos --seed ${String(seed)} --faults ${String(faults)} --transport ${targets.join(',')}`,
    )
  }
  return lines
}
