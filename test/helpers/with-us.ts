/** Programs that tests have started end with this process, also when the watchdog ends it in the middle of a test. */
import type { ChildProcess } from 'node:child_process'
import process from 'node:process'

const living = new Set<ChildProcess>()

process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

/** Returns it. */
export function endWithUs<Child extends ChildProcess>(child: Child): Child {
  living.add(child)
  child.once('exit', () => living.delete(child))
  return child
}
