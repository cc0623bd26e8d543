#!/usr/bin/env node
'use strict';
require('../dist/rolesanywhere.cjs');
