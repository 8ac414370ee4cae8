import { defineCommand } from '../command.js'
import { PROGRAM } from '../help.js'
import { handOn } from '../measuring/hand-on.js'

export const tune = defineCommand({
  name: 'tune',
  summary: 'tries engine options under your load, and recommends some, and says why',
  options: {},
  handsOn: true,
  notes: [`${PROGRAM} tune --help shows its options.`],
  examples: ['tune', 'tune --endpoint local:app --framing line --size 200', 'tune --help'],
  run: (_given, { signal }, words) => handOn('run.js', PROGRAM, ['tune', ...words], signal),
})
