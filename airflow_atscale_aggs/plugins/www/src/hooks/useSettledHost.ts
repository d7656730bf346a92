import { useEffect } from "react";
import { useLocation, useNavigate } from "react-router-dom";

// Once per load of the browser's page: all places of ours are in one bundle.
let isSettled = false;

/**
 * Let the host mount us anew before anybody types.
 *
 * Airflow shows a bundle that it has just loaded by one component, and by another one when it renders the next time,
 * which is when the address changes first: everything is mounted anew then, and whoever types into a search loses the
 * focus. So the address is set to what it is as soon as we are there.
 */
export const useSettledHost = (): void => {
  const navigate = useNavigate();
  const { pathname, search, hash, state } = useLocation();
  useEffect(() => {
    if (!isSettled) {
      isSettled = true;
      void navigate({ pathname, search, hash }, { replace: true, state: state as unknown });
    }
  }, [navigate, pathname, search, hash, state]);
};
