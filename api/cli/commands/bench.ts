import { defineCommand } from '../command.js'
import { PROGRAM } from '../help.js'
import { handOn } from '../measuring/hand-on.js'

export const bench = defineCommand({
  name: 'bench',
  summary: 'measures this machine beside plain net: a self-check, or one scenario',
  options: {},
  handsOn: true,
  notes: [
    'Without a scenario: the self-check, a minute or two, with figures beside their',
    'targets; --quick only checks counts. A scenario measures one thing:',
    `${PROGRAM} bench --help names them all.`,
  ],
  examples: ['bench', 'bench --quick', 'bench latency --transport shm', 'bench throughput --help'],
  run(_given, { signal }, words) {
    const [first] = words
    const asksForHelp = words.includes('--help') || words.includes('-h')
    const isSelfCheck = !asksForHelp && (first === undefined || first.startsWith('-'))
    const program = isSelfCheck ? 'self-check.js' : 'run.js'
    return handOn(program, `${PROGRAM} bench`, words, signal)
  },
})
