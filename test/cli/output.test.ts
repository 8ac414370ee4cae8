/** What commands show, and how. */
import process from 'node:process'
import { PassThrough } from 'node:stream'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { lines } from '../../api/cli/input-frames.js'
import { duration } from '../../api/cli/output/duration.js'
import { frameLine } from '../../api/cli/output/frame-text.js'
import { ProgressLine } from '../../api/cli/output/progress-line.js'
import { styleOf } from '../../api/cli/output/style.js'
import { table } from '../../api/cli/output/table.js'
import { write } from '../../api/cli/output/write.js'
import { TestTerminal } from '../helpers/test-terminal.js'

test('colours are there where the terminal has them', (t) => {
  t.is(styleOf({ hasColours: true }).red('no'), '\u001b[31mno\u001b[39m')
  t.is(styleOf({ hasColours: false }).red('no'), 'no')
})

test('a line of progress is taken back, cut to the terminal, and left out where nobody sees it', (t) => {
  const terminal = new TestTerminal({ isPerson: true })
  const line = new ProgressLine(terminal)
  line.show('x'.repeat(100))
  line.clear()
  line.clear()
  t.is(terminal.complaint, `\r\u001b[K${'x'.repeat(79)}\r\u001b[K`)
  const pipe = new TestTerminal()
  const unseen = new ProgressLine(pipe)
  unseen.show('x')
  unseen.clear()
  t.is(pipe.complaint, '')
})

test('tables have text at the left and figures at the right', (t) => {
  t.deepEqual(table(['', 'p50'], [['round trip', '1 us']]), [
    '             p50',
    '----------  ----',
    'round trip  1 us',
  ])
})

test('times have three digits and a unit', (t) => {
  t.deepEqual([0, 999, 1_234, 56_789, 12_345_678, 2e9].map(duration), [
    '0.00 us',
    '1.00 us',
    '1.23 us',
    '56.8 us',
    '12.3 ms',
    '2.00 s',
  ])
})

test('a frame stays on its line, and commands no terminal', (t) => {
  const frame = Buffer.from('a\tb\n\r\u001b[31m\u009b\\é')
  t.is(frameLine(frame, 'text', 2), '2: a\tb\\n\\r\\x1b[31m\\x9b\\é')
  t.is(frameLine(Buffer.from([0, 255]), 'hex'), '00ff')
  t.false(frameLine(frame, 'json').includes('\u009b'))
  t.deepEqual(JSON.parse(frameLine(frame, 'json', 2)), { connection: 2, bytes: frame.length, text: frame.toString() })
  t.deepEqual(JSON.parse(frameLine(Buffer.from([255]), 'json')), { bytes: 1, base64: '/w==' })
})

test('stdin is cut into lines wherever its chunks end, the last one too', async (t) => {
  const input = new PassThrough()
  for (const chunk of ['a', 'b\n\nc\nd', 'é']) input.write(chunk)
  input.end()
  const found: string[] = []
  for await (const line of lines(input)) found.push(String(line))
  t.deepEqual(found, ['ab', '', 'c', 'dé'])
})

test('a line of stdin that could not be sent is refused before it is all there', async (t) => {
  const input = new PassThrough()
  const reading = lines(input).next()
  for (let i = 0; i < 17; i++) input.write(Buffer.alloc(1_048_576))
  await t.throwsAsync(reading, { code: 'ERR_FRAME_TOO_LARGE' })
  input.destroy()
})

test('writing waits for a slow reader, and not for one that has gone', async (t) => {
  const output = new PassThrough({ highWaterMark: 1 })
  const waiting = write(output, 'abc')
  t.is(await Promise.race([waiting, Promise.resolve('waits')]), 'waits')
  t.is(String(output.read()), 'abc')
  await waiting
  const other = write(output, 'abc')
  output.destroy()
  await other
  await write(output, 'abc')
  t.pass()
})

const withTerminal = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0 ? test : test.skip

withTerminal('a terminal has colours, unless NO_COLOR is set; a pipe has none, FORCE_COLOR or not', (t) => {
  const module = fileURLToPath(new URL('../../api/cli/terminal.js', import.meta.url))
  const show = `import('${module}').then(({ processTerminal }) => console.log(String(processTerminal().hasColours)))`
  const node = `'${process.execPath}' -e "${show}"`
  const line = [node, `NO_COLOR=1 ${node}`, `NO_COLOR= ${node}`, `FORCE_COLOR=1 ${node} | cat`].join('; ')
  const env = { ...process.env, NODE_OPTIONS: undefined, NO_COLOR: undefined, FORCE_COLOR: undefined, TERM: 'xterm' }
  const { stdout } = spawnSync('script', ['-qec', line, '/dev/null'], { env, encoding: 'utf8' })
  t.deepEqual(stdout.trim().split(/\s+/), ['true', 'false', 'true', 'false'])
})
