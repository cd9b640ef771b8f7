/**
 * Rotation: how old credentials may become, warnings before, keys that replace themselves, and reports of what is overdue.
 * What it promises is in docs/rotation.md.
 */
export { rotationRoutes, type RotationRoutes } from './routes.ts'
export { warnOfRotation } from './warn-of-rotation.ts'
