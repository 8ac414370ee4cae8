/**
 * Whether an engine can do what the scenarios ask of one: a frame there and back over the transport. Prints an empty
 * line, or in one line why not.
 */
import process from 'node:process'
import type { SideConfig } from '../harness/messages.js'
import { engineStack } from './engine-stack.js'

const BYTES = 64
/** Starting takes some hundred milliseconds. */
const MOST_MS = 30_000

const config = JSON.parse(process.argv[2] ?? '{}') as SideConfig

async function roundTrip(): Promise<string> {
  const stack = await engineStack(config)
  try {
    await stack.echo()
    let answered: (frame: Buffer) => void = () => undefined
    const answer = new Promise<Buffer>((resolve) => (answered = resolve))
    const peer = await stack.connect((frame) => {
      answered(Buffer.from(frame))
    })
    peer.prepare(BYTES)
    peer.send(0)
    peer.flush()
    const { length } = await answer
    return stack.fallback?.() ?? (length === BYTES ? '' : 'another frame came back')
  } finally {
    await stack.close()
  }
}

const watchdog = setTimeout(() => {
  tell(`no frame came back in ${String(MOST_MS / 1_000)} s`)
}, MOST_MS)

function tell(reason: string): void {
  clearTimeout(watchdog)
  process.stdout.write(`${reason.split('\n')[0] ?? ''}\n`, () => process.exit(0))
}

roundTrip().then(tell, (error: unknown) => {
  tell(error instanceof Error && error.message !== '' ? error.message : String(error))
})
