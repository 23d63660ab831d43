"""What commands cost where stores grow: releases, objects, machines that share one."""
