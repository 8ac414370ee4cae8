/**
 * Loaded into every process of tests, before its test file (ava.config.js): one in which nothing happens any more is
 * ended, and says which tests were running. AVA's own timeout is not enough: it passes once in vain while a test has a
 * longer one of its own, and it waits for a process that something keeps alive after its tests.
 *
 * What the tests do is what AVA's reporter hears of them, over the channel to AVA.
 */
import process from 'node:process'

/** Longer than AVA's own timeout. A test that needs more says so with `t.timeout()`. */
const BOUND_MS = 240_000
/** How much longer than its own timeout a test may take to clean up. */
const GRACE_MS = 60_000
/** How long a process may take to end when its tests are over. */
const END_MS = 60_000

interface AvaEvent {
  readonly type: string
  readonly title?: string
  readonly period?: number
}

const { SYMPHONY_TEST_WATCHDOG_MS: given } = process.env
const running = new Set<string>()
let last = 'none'
let longestMs = 0
let isOver = false
let timer: NodeJS.Timeout | undefined

function boundMs(): number {
  if (given !== undefined) return Number(given)
  return isOver ? END_MS : Math.max(BOUND_MS, longestMs + GRACE_MS)
}

function arm(): void {
  clearTimeout(timer)
  timer = setTimeout(() => void expire(), boundMs())
  timer.unref()
}

function hear({ type, title = '', period = 0 }: AvaEvent): void {
  switch (type) {
    case 'test-register-log-reference':
      running.add(title)
      last = title
      break
    case 'test-timeout-configured':
      longestMs = Math.max(longestMs, period)
      break
    case 'test-passed':
    case 'test-failed':
      running.delete(title)
      if (running.size === 0) longestMs = 0
      break
    case 'worker-finished':
      isOver = true
  }
  arm()
}

function where(): string {
  if (isOver) return 'after its tests were over'
  const titles = [...running].map((title) => `"${title}"`)
  return titles.length === 0 ? `in a hook; the last test was ${last}` : `while running ${titles.join(', ')}`
}

async function expire(): Promise<void> {
  const kept = process.getActiveResourcesInfo().sort().join(', ')
  const { default: test } = await import('ava')
  process.stderr.write(
    `watchdog: nothing has happened for ${String(boundMs())} ms in ${test.meta.file}, ${where()}.\nIts process is ended; what kept it: ${kept}\n`,
  )
  process.exit(1)
}

const send = process.send?.bind(process)
if (send !== undefined) {
  const listen = (...args: Parameters<typeof send>): boolean => {
    const { ava } = args[0] as { readonly ava?: AvaEvent }
    if (ava !== undefined) hear(ava)
    return send(...args)
  }
  process.send = listen as typeof send
  // AVA itself is gone, so the tests have no purpose any more.
  process.once('disconnect', () => process.exit(1))
  arm()
}
