/** `symphony-transport ping`: round trips to a peer that echoes. */
import { defineCommand, exitCodes } from '../command.js'
import { option } from '../options/option.js'
import { integer, number } from '../options/reader.js'
import { endpoint, framing, json } from '../options/shared.js'
import { duration } from '../output/duration.js'
import { ProgressLine } from '../output/progress-line.js'
import { table } from '../output/table.js'
import { pingPeer, type PingOutcome } from '../ping-peer.js'
import { withEngine } from '../with-engine.js'

const DEFAULTS = { size: 64, count: 10_000, interval: 0, timeout: 5_000 } as const
const SHOWN = ['min', 'mean', 'p50', 'p90', 'p99', 'p999', 'max'] as const
const NANOSECONDS = 1_000

export const pingCommand = defineCommand({
  name: 'ping',
  summary: 'measures round trips to a peer that echoes, and checks each answer',
  options: {
    endpoint,
    framing,
    size: option(integer(1, 16_777_216), String(DEFAULTS.size), 'payload bytes'),
    count: option(integer(1, 10_000_000), String(DEFAULTS.count), 'round trips, one after the other'),
    interval: option(number(0, 86_400_000), String(DEFAULTS.interval), 'milliseconds between two of them'),
    timeout: option(integer(1, 86_400_000), String(DEFAULTS.timeout), 'milliseconds for each answer'),
    json,
  },
  operands: ['endpoint'],
  notes: [
    'Ends with 1 when an answer is missing or is not what was sent. The first few',
    'thousand round trips of a process are slower than those behind them.',
  ],
  examples: ['ping local:echo', 'ping unix:/run/app.sock --count 20 --interval 500'],
  run({ endpoint = '', framing, json, ...given }, run) {
    const plan = { ...DEFAULTS, ...given, isStream: framing === 'raw' }
    return withEngine({ shards: 1 }, run, async (engine) => {
      const { terminal, signal } = run
      const transport = engine.transport(endpoint, { framing, maxFrameBytes: Math.max(plan.size, 65_536) })
      const connection = await transport.connect({ signal })
      const progress = new ProgressLine(terminal)
      const outcome = await pingPeer(connection, plan, signal, (so) => progress.show(inOneLine(so, plan.count)))
      progress.clear()
      connection.destroy()
      const lines = json === true ? [JSON.stringify(inJson(outcome, endpoint, plan.size))] : inWords(outcome, plan.size)
      terminal.output.write(`${lines.join('\n')}\n`)
      return outcome.failure === undefined ? exitCodes.ok : exitCodes.failed
    })
  },
})

function inOneLine({ answered, times }: PingOutcome, count: number): string {
  const figures = (['p50', 'p99', 'max'] as const).map((name) => `${name} ${duration(times[name])}`)
  return [`${String(answered)} of ${String(count)}`, ...figures].join('  ')
}

function inWords({ sent, answered, failure, times }: PingOutcome, size: number): string[] {
  const counts = `${String(sent)} sent, ${String(answered)} answered, ${String(size)} bytes each`
  const rows =
    answered === 0 ? [] : table(['', ...SHOWN], [['round trip', ...SHOWN.map((name) => duration(times[name]))]])
  return [...rows, counts, ...(failure === undefined ? [] : [failure])]
}

/** Times are microseconds. */
function inJson({ sent, answered, failure, times }: PingOutcome, endpoint: string, size: number): object {
  const micros = Object.fromEntries(SHOWN.map((name) => [name, times[name] / NANOSECONDS]))
  return { endpoint, size, sent, answered, failure: failure ?? null, micros: answered === 0 ? null : micros }
}
