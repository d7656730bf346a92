select *
from (values (10, 'Harbour', 'north'), (20, 'Station', 'south'), (30, 'Closed', null)) as branches (branch_id, branch_name, area)
