/** The table: every case of every family. */
import type { Case } from './case.ts';
import { attributeCases } from './cases/attributes.ts';
import { descriptorCases } from './cases/descriptors.ts';
import { flagCases } from './cases/flags.ts';
import { foundCases } from './cases/found.ts';
import { ioCases } from './cases/io.ts';
import { lockCases } from './cases/locks.ts';
import { mapCases, pointerCases } from './cases/maps.ts';
import { metadataCases } from './cases/metadata.ts';
import { nameCases } from './cases/names.ts';
import { openCases } from './cases/open.ts';
import { pathCases } from './cases/paths.ts';
import { permissionCases } from './cases/permissions.ts';
import { specialCases } from './cases/special.ts';

export const table: readonly Case[] = [
  ...pathCases,
  ...openCases,
  ...ioCases,
  ...nameCases,
  ...permissionCases,
  ...metadataCases,
  ...descriptorCases,
  ...attributeCases,
  ...flagCases,
  ...lockCases,
  ...specialCases,
  ...mapCases,
  ...pointerCases,
  ...foundCases,
];
