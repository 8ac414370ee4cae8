import { handledListening } from './handled-listening.js'
import { unix } from './transports.js'

handledListening(unix)
