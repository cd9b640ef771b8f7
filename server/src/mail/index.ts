/**
 * Mail: e-mails wait in an outbox, written in the transaction that they tell of, and go out through SMTP afterwards. In
 * development, without SMTP, they stay there and the operator reads them. What they say is the business of whoever sends.
 */
export { type Message } from './message.ts'
export { Mailer, type MailerOptions, type MailTransport } from './mailer.ts'
export { outboxRoutes } from './outbox-routes.ts'
export { smtpTransport } from './smtp.ts'
