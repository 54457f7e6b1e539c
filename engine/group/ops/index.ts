/** All ops of the group, for the registry of the state machine. Tags 0x10–0x2f. */
import { forget, type ForgetOp } from './forget.js'
import { genesis, type GenesisOp } from './genesis.js'
import { inviteCreate, type InviteCreateOp } from './invite.js'
import { join, type JoinOp } from './join.js'
import { profile, type ProfileOp } from './profile.js'
import { agreementRefresh, type AgreementRefreshOp } from './refresh.js'
import { deviceRemove, type DeviceRemoveOp, memberRemove, type MemberRemoveOp } from './remove.js'
import { linkRepair, type LinkRepairOp } from './repair.js'
import { inviteRevoke, type InviteRevokeOp } from './revoke.js'
import { memberRole, type MemberRoleOp } from './role.js'
import { rotate, type RotateOp } from './rotate.js'

export type GroupOp =
  | GenesisOp
  | InviteCreateOp
  | InviteRevokeOp
  | JoinOp
  | MemberRoleOp
  | MemberRemoveOp
  | DeviceRemoveOp
  | RotateOp
  | LinkRepairOp
  | ForgetOp
  | AgreementRefreshOp
  | ProfileOp

export const GROUP_OPS = [
  genesis,
  inviteCreate,
  inviteRevoke,
  join,
  memberRole,
  memberRemove,
  deviceRemove,
  rotate,
  linkRepair,
  forget,
  agreementRefresh,
  profile,
] as const
