import { targetNames } from '../chaos/plan.js'
import { as, option } from '../../api/cli/options/option.js'
import { count, ofAll, watch } from '../options/options.js'
import { integer, list, oneOf } from '../../api/cli/options/reader.js'
import { chaosLines } from '../report/chaos-lines.js'
import { runChaos } from '../scenarios/chaos.js'
import { defineScenario } from './scenario.js'

export const chaos = defineScenario({
  name: 'chaos',
  summary: 'faults injected into running traffic; what is lost, and what leaks',
  options: {
    faults: as(count, '1000', 'how many'),
    seed: option(integer(0, 4_294_967_295), 'N', 'repeats the faults of an earlier run (drawn, and printed)'),
    transport: option(list(oneOf(targetNames)), targetNames.join(), 'what the traffic goes over'),
    watch: as(watch, '60', 'seconds that one fault may take'),
    ...ofAll,
  },
  examples: ['chaos', 'chaos --seed 77 --faults 151', 'chaos --transport unix,stdio'],
  async run(given, { folder, progress }) {
    const { faults = 1_000, transport: targets = targetNames, watch: seconds = 60 } = given
    const seed = given.seed ?? Math.floor(Math.random() * 2 ** 31)
    console.log(`seed ${String(seed)}`)
    progress.begin('faults that are over', faults)
    const onFault = (): void => {
      progress.step()
    }
    const report = await runChaos({ seed, faults, targets, folder, watchdogMs: seconds * 1_000, onFault })
    progress.end()
    for (const line of chaosLines(report)) console.log(line)
    return { right: report.failures.length === 0, reports: [report], figures: [] }
  },
})
