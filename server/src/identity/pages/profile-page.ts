/** The account's first page: who one is here. */
import { html, type RenderedPage } from '../../http/index.ts'
import type { User } from '../user.ts'
import { accountPage } from './account-page.ts'
import { type FormPlace, formStart } from './parts-page.ts'

export interface ProfileView extends FormPlace {
  readonly user: User
  readonly problem?: string | undefined
}

export function profilePage(view: ProfileView): RenderedPage {
  const { action, user, problem } = view
  return accountPage({
    path: action,
    title: 'Your account',
    problem,
    body: html`<div class="who">
        ${user.username !== null && html`<p>Username: <strong>${user.username}</strong></p>`}
        ${
          user.email !== null &&
          html`<p>
            E-mail address:
            <strong>${user.email}</strong>${user.emailVerifiedAtMs === null && html` (not verified)`}
          </p>`
        }
      </div>
      <form method="post" action="${action}">
        ${formStart(view)}
        <div class="field">
          <label for="name">Name</label>
          <input id="name" name="name" value="${user.name}" maxlength="200" autocomplete="name" />
        </div>
        <button type="submit">Save</button>
      </form>`,
  })
}
