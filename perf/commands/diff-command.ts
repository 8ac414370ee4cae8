import { engineSource, PACKAGE } from '../engines/engine-source.js'
import { findEngine } from '../engines/find-engine.js'
import { transports } from '../harness/meeting-place.js'
import { as, option } from '../../api/cli/options/option.js'
import { count, duration, ofAll, ofEngines, rounds, sizes, transportList } from '../options/options.js'
import { list, number, oneOf } from '../../api/cli/options/reader.js'
import { diffTable, isWorse } from '../report/diff-table.js'
import { runDiff } from '../scenarios/diff.js'
import { diffScenarios } from '../scenarios/diff-trials.js'
import { defineScenario } from './scenario.js'

const ROUNDS = 15
/** Of a round, in which each engine takes its turn twice. */
const SECONDS = 0.5
const MARGIN = 5

export const diff = defineScenario({
  name: 'diff',
  summary: 'two commits or versions beside each other: what got faster, and slower',
  operands: ['base'],
  options: {
    base: option(engineSource, 'BASE', `a commit, ${PACKAGE}@VERSION, a .tgz, or a folder with a build, like ./other`),
    head: option(engineSource, 'HEAD~1', 'the same, instead of the working tree'),
    scenarios: option(list(oneOf(diffScenarios)), 'latency', `what is measured (default: ${diffScenarios.join(', ')})`),
    sizes: as(sizes, '64', 'payload bytes (default: 64, of throughput 64 and 65536)'),
    transport: as(transportList, transports.join(), 'what carries the frames of latency and throughput'),
    rounds: as(rounds, String(ROUNDS), 'rounds, each with fresh programs'),
    duration: as(duration, String(SECONDS), 'seconds that each engine is measured in a round, in two turns'),
    count: as(count, '10000', 'what is done in a turn, instead of --duration'),
    margin: option(number(0.1, 1_000), String(MARGIN), 'percent that do not matter'),
    pin: ofEngines.pin,
    ...ofAll,
  },
  notes: [
    'A commit is built once, in a worktree of its own. A figure is faster or slower',
    'if its whole interval lies beyond the margin; all intervals of the table',
    'together are right in 95 % of runs. Net does not change: how much its',
    'figures vary says how quiet the machine is.',
    '',
    'Exit codes: 0 nothing is known to be slower, 1 a count is wrong or a program',
    'failed, 2 something that is named cannot be had, 3 something is slower.',
  ],
  examples: [
    'diff HEAD~1',
    'diff main --scenarios latency --transport shm',
    `diff ${PACKAGE}@0.1.0 --rounds 40 --margin 2`,
  ],
  async run(given, { folder, progress }) {
    const { scenarios = diffScenarios, transport = transports, rounds: times = ROUNDS, margin = MARGIN } = given
    const say = (line: string): void => {
      console.error(line)
    }
    const [base, head] = [await findEngine(given.base, folder, say), await findEngine(given.head, folder, say)]
    console.log(`base: ${base.title}\nhead: ${head.title}`)
    const report = await runDiff({
      ...{ folder, progress, scenarios, sizes: given.sizes, transports: transport },
      engines: { base: base.url, head: head.url },
      rounds: times,
      count: given.count,
      seconds: given.duration ?? SECONDS,
      pinTo: given.pin === undefined ? undefined : String(given.pin),
      margin: margin / 100,
    })
    console.log(diffTable(report))
    const { rows, skipped, failures, figures } = report
    const facts = { base: base.title, head: head.title, margin, rows, skipped, failures }
    return { right: failures.length === 0 && rows.length > 0, reports: [facts], figures, isWorse: isWorse(report) }
  },
})
