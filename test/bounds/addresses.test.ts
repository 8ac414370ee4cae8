/** In a process with limited address space, peers that announce large frames can end only their own connections. */
import process from 'node:process'
import test from 'ava'
import { ChildProgram } from '../helpers/child-program.js'
import { byLength } from '../helpers/length.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 150_000
const GiB_IN_KIB = 1_048_576

const declare = process.platform === 'linux' ? test.serial : test.serial.skip

/** A header of fixed size and one of text; without a header there is no announcement. */
const announcing = byLength({ short: ['length', 'content-length'], long: ['length', 'length-be', 'content-length'] })
const sending = byLength({ short: ['length', 'line'], long: ['length', 'content-length', 'line'] })

let measured: Promise<number> | undefined

/** The address space that the program takes when no peer announces a large frame, in KiB; V8 reserves most of it. */
function room(): Promise<number> {
  measured ??= run('length', 'room', undefined).then((lines) => Number(lines.at(-1)))
  return measured
}

async function run(framing: string, kind: string, addressKiB: number | undefined): Promise<readonly string[]> {
  const folder = await makeTemporaryFolder()
  const limit = addressKiB === undefined ? {} : { addressKiB }
  const child = ChildProgram.start('scarce-addresses', [folder.endpoint(), framing, kind], limit)
  try {
    const { code, signal, lines, stderr } = await child.exit
    if (code !== 0 || stderr !== '') throw new Error(`${String(code)} ${String(signal)} ${stderr}`)
    return lines
  } finally {
    child.kill('SIGKILL')
    await folder.remove()
  }
}

for (const framing of announcing) {
  declare(`${framing}: 400 peers that announce 16 MiB each and send a byte cost next to nothing`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const [said, leaked] = await run(framing, 'announced', (await room()) + 2 * GiB_IN_KIB)
    t.deepEqual(JSON.parse(said ?? ''), { outcome: 400, echoed: 1_048_576, generation: 1 })
    t.is(leaked, 'leaked 0')
  })
}

for (const framing of sending) {
  declare(`${framing}: a frame without memory for it ends only its own connection`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const [said, leaked] = await run(framing, 'sent', (await room()) + GiB_IN_KIB / 2)
    t.deepEqual(JSON.parse(said ?? ''), { outcome: 'ERR_OUT_OF_MEMORY', echoed: 1_048_576, generation: 1 })
    t.is(leaked, 'leaked 0')
  })
}
