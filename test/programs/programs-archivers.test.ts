import { group } from './programs.ts';

group('archivers');
