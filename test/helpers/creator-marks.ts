/** Marks of creators that have ended. */
import { ChildProgram } from './child-program.js'

/** The mark of a process that has lived, and was waited for. */
export async function markOfDead(): Promise<string> {
  const child = ChildProgram.start('marked')
  try {
    const mark = await child.next()
    await child.exit
    return mark
  } finally {
    child.kill('SIGKILL')
  }
}
