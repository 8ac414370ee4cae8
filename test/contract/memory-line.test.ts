import { framedContract } from './framed.js'

framedContract('memory', 'line')
