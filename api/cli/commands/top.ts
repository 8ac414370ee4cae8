import type { StatsAnswer } from '../../metrics/index.js'
import { defineCommand, exitCodes } from '../command.js'
import { PROGRAM } from '../help.js'
import { as, flag, option } from '../options/option.js'
import { number } from '../options/reader.js'
import { endpoint } from '../options/shared.js'
import { plainJson } from '../output/frame-text.js'
import { Screen } from '../top/screen.js'
import { view } from '../top/view.js'
import { watch } from '../top/watch.js'
import { withEngine } from '../with-engine.js'

const MOST_ANSWER_BYTES = 4_194_304

export const top = defineCommand({
  name: 'top',
  summary: 'live statistics of an engine that answers by serveStats()',
  options: {
    endpoint: as(endpoint, '', 'where it answers, like local:stats'),
    interval: option(number(0.2, 3_600), '1', 'seconds from one look to the next'),
    once: flag('one look, with rates over one interval'),
    json: flag('each answer as a line of JSON'),
  },
  operands: ['endpoint'],
  notes: [
    'The engine opts in: serveStats(engine, endpoint), of symphony-transport/metrics.',
    'On a terminal q ends it. Exit codes: 0 it was asked to end, 1 the engine has',
    'gone or does not answer.',
  ],
  examples: ['top local:stats', 'top local:stats --once', 'top local:stats --json --interval 10'],
  check({ endpoint = '' }) {
    return endpoint.startsWith('shm:') ? 'top reads lines, which shm: does not carry: give local:NAME, say' : undefined
  },
  run({ endpoint = '', interval = 1, once = false, json = false }, run) {
    const { terminal, signal } = run
    const quit = new AbortController()
    return withEngine({ shards: 1 }, run, async (engine) => {
      const transport = engine.transport(endpoint, { framing: 'line', maxFrameBytes: MOST_ANSWER_BYTES })
      const connection = await transport.connect({ signal })
      const screen = new Screen(json ? { ...terminal, isInteractive: false } : terminal, () => quit.abort())
      try {
        let before: StatsAnswer | undefined
        const end = await watch(connection, {
          intervalMs: interval * 1_000,
          signal: AbortSignal.any([signal, quit.signal]),
          onAnswer(after, line) {
            const isFirst = before === undefined
            if (json) terminal.output.write(`${plainJson(line.toString())}\n`)
            // Rates need two answers.
            else if (!once || !isFirst) screen.show(view(transport.endpoint, { before, after }))
            before = after
            return once && (json || !isFirst)
          },
        })
        if (end.kind === 'asked') return exitCodes.ok
        terminal.errors.write(`${PROGRAM}: ${end.why}.\n`)
        return exitCodes.failed
      } finally {
        screen.close()
      }
    })
  },
})
