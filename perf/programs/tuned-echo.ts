/** The echo that `tune` brings along: an engine with the options that are tried. Ends with its runner. */
import process from 'node:process'
import { createEngine } from '../../api/index.js'
import { cpuMsSoFar, type TunedConfig, type TunedCpu } from '../harness/tuning.js'
import { MOST_FRAME_BYTES } from './engine-stack.js'

const { endpoint, framing, options } = JSON.parse(process.argv[2] ?? '{}') as TunedConfig
const engine = await createEngine(options)
process.once('disconnect', () => {
  void engine.close().then(({ leaked }) => {
    process.exitCode = leaked === 0 ? 0 : 3
  })
})
await engine.transport(endpoint, { framing, maxFrameBytes: MOST_FRAME_BYTES }).listen((connection) => {
  connection.subscribe((frame) => void connection.send(frame), { borrow: true })
})
process.on('message', () => {
  process.send?.({ kind: 'cpu', cpuMs: cpuMsSoFar() } satisfies TunedCpu)
})
process.send?.({ kind: 'ready' })
