/** Copies its stdin to its stdout and ends when its stdin does: what `cat` is elsewhere. */
import process from 'node:process'

process.stdin.pipe(process.stdout)
